-- Which RPC a request means. ROUTES (verb, path template, gRPC path and what the gateway knows of it) is put before this.
local TREE, VERBS, NATIVE = {}, {}, {}

local function segments(path)
  local found = {}
  for segment in path:gmatch("/([^/]*)") do found[#found + 1] = segment end
  return found
end

local function branch(node, segment)
  local key = segment:match("^{.*}$") and "*" or segment
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

-- An id may hold a colon, unless what follows the last one is a verb that some path ends with: so says the transcoder.
local function may_be_id(segment, is_last)
  return segment ~= "" and not (is_last and VERBS[segment:match(":([^:]*)$") or ""])
end

local function find(node, path, at)
  local segment = path[at]
  if segment == nil then return node["/"] end
  local literal = segment ~= "*" and node[segment]
  local found = literal and find(literal, path, at + 1)
  if found or node["*"] == nil or not may_be_id(segment, at == #path) then return found or nil end
  return find(node["*"], path, at + 1)
end

-- The RPCs of a JSON path by their verbs, or nil. Empty segments at the end, which the transcoder passes over, are none of
-- a path that is known here.
local function rpcs_of(path)
  return find(TREE, segments(path), 1)
end
