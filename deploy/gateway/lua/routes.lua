-- Which RPC a request means. ROUTES (verb, path template, gRPC path and what the gateway knows of it) is put before this.
local TREE, VERBS, NATIVE = {}, {}, {}

local function segments(path)
  local found = {}
  for segment in path:gmatch("/([^/]*)") do found[#found + 1] = segment end
  return found
end

-- `{id}` is kept as `*`, `{id}:verb` as `*:verb`.
local function branch(node, segment)
  local key = segment:gsub("^{.*}", "*")
  node[key] = node[key] or {}
  return node[key]
end

for _, route in ipairs(ROUTES) do
  local node = TREE
  for _, segment in ipairs(segments(route.path)) do
    local verb = segment:match(":(%a+)$")
    if verb then VERBS[verb] = true end
    node = branch(node, segment)
  end
  node["/"] = node["/"] or {}
  node["/"][route.verb] = route
  if route.grpc then NATIVE[route.grpc] = route end
end

-- What stands for a segment that is an id. An id may hold a colon, unless what follows the last one is a verb that some
-- path ends with: so says the transcoder.
local function as_id(node, segment, is_last)
  local id, verb = segment:match("^(.*):([^:]*)$")
  if is_last and VERBS[verb or ""] then return id ~= "" and node["*:" .. verb] or nil end
  return segment ~= "" and node["*"] or nil
end

local function find(node, path, at)
  local segment = path[at]
  if segment == nil then return node["/"] end
  local literal = segment:sub(1, 1) ~= "*" and node[segment]
  local found = literal and find(literal, path, at + 1)
  local other = not found and as_id(node, segment, at == #path)
  return found or other and find(other, path, at + 1) or nil
end

-- The RPCs of a JSON path by their verbs, or nil. Empty segments at the end, which the transcoder passes over, are none of
-- a path that is known here.
local function rpcs_of(path)
  return find(TREE, segments(path), 1)
end
