-- The first look at a request: what it means is noted for those that come after (limits, tokens, bodies, the log).
-- Takes away the headers in which only services speak, refuses wrong methods, and answers HEAD as GET without its body.
local OURS, FROM_CLIENTS = "^x%-lyceum%-", { ["x-lyceum-after"] = true }
local GRPC = "^application/grpc"

local function drop_internal(headers)
  local found = {}
  for name in pairs(headers) do
    if name:match(OURS) and not FROM_CLIENTS[name] then found[#found + 1] = name end
  end
  for _, name in ipairs(found) do headers:remove(name) end
end

local function allowed(rpcs)
  local verbs = {}
  for verb in pairs(rpcs) do verbs[#verbs + 1] = verb end
  if rpcs.GET then verbs[#verbs + 1] = "HEAD" end
  table.sort(verbs)
  return table.concat(verbs, ", ")
end

local function is_private(route, headers)
  return route.bearer == "demanded" or route.rate == "credential" or headers:get("authorization") ~= nil
end

local function note(handle, route, name)
  local headers, notes = handle:headers(), handle:streamInfo():dynamicMetadata()
  notes:set("lyceum", "route", name)
  notes:set("lyceum", "rate", route.rate)
  if is_private(route, headers) then notes:set("lyceum", "private", "yes") end
  return notes
end

local function as_json(handle, method, path)
  local rpcs = rpcs_of(path)
  if rpcs == nil then return end -- those after this one refuse it
  local is_head = method == "HEAD" and rpcs.GET ~= nil
  local route = rpcs[is_head and "GET" or method]
  if route == nil then
    return handle:respond({ [":status"] = "405", ["allow"] = allowed(rpcs) }, "refused")
  end
  local notes = note(handle, route, route.path)
  if route.body then notes:set("lyceum", "body", route.body) end
  if is_head then
    notes:set("lyceum", "head", "yes")
    handle:headers():replace(":method", "GET")
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  drop_internal(headers)
  local method, path = headers:get(":method") or "", (headers:get(":path") or ""):match("^[^?]*")
  handle:streamInfo():dynamicMetadata():set("lyceum", "method", method)
  if (headers:get("content-type") or ""):match(GRPC) then
    local route = NATIVE[path]
    handle:streamInfo():dynamicMetadata():set("lyceum", "road", "grpc")
    return route and note(handle, route, route.grpc)
  end
  as_json(handle, method, path)
end

function envoy_on_response(handle)
  local notes = handle:streamInfo():dynamicMetadata():get("lyceum")
  if notes == nil then return end
  if notes.private then handle:headers():replace("cache-control", "no-store") end
  if notes.head then
    local body = handle:body()
    if body then body:setBytes("") end
  end
end
