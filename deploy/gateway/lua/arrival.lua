-- The first look at a request: what it means is noted for those that come after (limits, tokens, bodies, the log).
-- Nothing that is not known here goes on. Takes away the headers in which only services speak, refuses wrong methods, and
-- answers HEAD as GET without its body.
-- A header that gRPC servers read by themselves may spoil their connection for all others, if they cannot: only these
-- are passed on, and a time only if it is one.
local GRPC = "^application/grpc"
local ALWAYS = { ["x-lyceum-after"] = true, ["grpc-timeout"] = true }
local BY_GRPC = { ["grpc-encoding"] = true, ["grpc-accept-encoding"] = true }
local METHODS = { GET = 1, HEAD = 1, POST = 1, PUT = 1, PATCH = 1, DELETE = 1, OPTIONS = 1 }
local NO_TIME = { field = "grpc-timeout", said = "must be at most 8 digits and a unit of H, M, S, m, u, n" }

-- gRPC has fewer characters for names than HTTP: its servers answer the others with an error of their own.
local function is_kept_back(name)
  if name:find("[^%l%d._:-]") or name == "lb-token" then return true end
  return name:match("^x%-lyceum%-") or name:match("^grpc%-") or name:match("%-bin$")
end

local function drop_internal(headers, by_grpc)
  local found = {}
  for name in pairs(headers) do
    local is_passed = ALWAYS[name] or by_grpc and BY_GRPC[name]
    if is_kept_back(name) and not is_passed then found[#found + 1] = name end
  end
  for _, name in ipairs(found) do headers:remove(name) end
end

local function is_time(text)
  return text == nil or #text <= 9 and text:match("^%d+[HMSmun]$") ~= nil
end

local function allowed(rpcs)
  local verbs = {}
  for verb in pairs(rpcs) do verbs[#verbs + 1] = verb end
  if rpcs.GET and not rpcs.GET.streams then verbs[#verbs + 1] = "HEAD" end
  table.sort(verbs)
  return table.concat(verbs, ", ")
end

local function is_private(route, headers)
  return route.bearer == "demanded" or route.rate == "credential" or headers:get("authorization") ~= nil
end

local function note(handle, route, name)
  local headers, notes = handle:headers(), handle:streamInfo():dynamicMetadata()
  notes:set("lyceum", "route", name)
  if route.rate == "credential" then notes:set("lyceum", "limit", "credential") end
  if route.roles then notes:set("lyceum", "roles", route.roles) end
  if is_private(route, headers) then notes:set("lyceum", "private", "yes") end
  -- Whoever refreshes a session may well send the token that is over, which a service would refuse.
  if route.bearer == "ignored" and route.rate ~= "provider" then headers:remove("authorization") end
  return notes
end

local function as_json(handle, method, path)
  local rpcs = rpcs_of(path:match("^[^?]*"))
  if rpcs == nil then return refuse(handle, "404") end
  local is_head = method == "HEAD" and rpcs.GET ~= nil and not rpcs.GET.streams
  local route = rpcs[is_head and "GET" or method]
  if route == nil then
    return refuse(handle, "405", nil, { ["allow"] = allowed(rpcs) })
  end
  local notes = note(handle, route, route.path)
  handle:headers():replace("x-lyceum-route", method .. " " .. route.path) -- for the span of the call
  local why = query_complaint(path, route)
  if why then return refuse(handle, "400", why) end
  if route.body then notes:set("lyceum", "body", route.body) end
  if is_head then
    notes:set("lyceum", "head", "yes")
    handle:headers():replace(":method", "GET")
  end
end

-- What browsers get as pages is a web client's affair: which addresses there are, which methods and sizes they take.
local function is_page(path)
  return PAGES.at ~= nil and (path == PAGES.at or path:sub(1, #PAGES.at + 1) == PAGES.at .. "/")
end

local function as_page(headers, notes, method, path)
  notes:set("lyceum", "page", "yes")
  notes:set("lyceum", "route", PAGES.at .. "/")
  if method == "POST" and path == PAGES.log_in then notes:set("lyceum", "limit", "credential") end
  headers:remove("authorization")
end

local function look(handle)
  local headers = handle:headers()
  local method, path = headers:get(":method") or "", headers:get(":path") or ""
  local by_grpc = (headers:get("content-type") or ""):match(GRPC) ~= nil
  local notes = handle:streamInfo():dynamicMetadata()
  drop_internal(headers, by_grpc)
  notes:set("lyceum", "method", METHODS[method] and method or "other")
  if by_grpc then notes:set("lyceum", "road", "grpc") end -- what the answer looks like; what is meant, the path says
  if not is_time(headers:get("grpc-timeout")) then return refuse(handle, "400", NO_TIME) end
  local page = path:match("^[^?]*")
  if is_page(page) then return as_page(headers, notes, method, page) end
  headers:remove("cookie") -- of the pages, for whose host browsers keep it; no RPC reads one
  local native = NATIVE[path]
  if native == nil then return as_json(handle, method, path) end
  if not by_grpc then return refuse(handle, "404") end
  note(handle, native, native.grpc):set("lyceum", "native", "yes")
end

envoy_on_request = guarded(look)

local function drop_body(handle)
  local body = handle:body()
  if body == nil then return end
  local length = tostring(body:length())
  body:setBytes("")
  handle:headers():replace("content-length", length)
end

function envoy_on_response(handle)
  local notes = handle:streamInfo():dynamicMetadata():get("lyceum")
  if notes == nil then return end
  if notes.private then handle:headers():replace("cache-control", "no-store") end
  if notes.head then drop_body(handle) end
end
