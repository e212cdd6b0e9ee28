-- The second look, at the body: forms become JSON, and JSON holds nothing but what its message has. The transcoder would
-- drop a field that it does not know, and a misspelt price would be none.

local function put(handle, body, json)
  body:setBytes(json)
  local headers = handle:headers()
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(#json))
end

-- One message of gRPC, whole: servers wait for the rest of another, and answer none that has no message at all.
local function is_frame(text)
  local flag, a, b, c, d = text:byte(1, 5)
  return d ~= nil and flag <= 1 and ((a * 256 + b) * 256 + c) * 256 + d == #text - 5
end

local function look_at_frame(handle)
  local body = handle:body()
  if body and is_frame(body:getBytes(0, body:length())) then return end
  refuse(handle, "400", { field = "request", said = "is not one message of gRPC" })
end

local function look(handle)
  local notes = handle:streamInfo():dynamicMetadata():get("lyceum")
  if notes and notes.native then return look_at_frame(handle) end
  if notes == nil or notes.body == nil then return end
  local route, message = notes.route, notes.body
  local kind = (handle:headers():get("content-type") or ""):lower()
  local form = is_form(route, kind)
  if form and not in_utf8(kind) then return refuse(handle, "415") end
  local body = handle:body()
  local text = body and body:getBytes(0, body:length()) or ""
  if text == "" then return end
  if form then text = to_json(text) end
  if text == nil then return refuse(handle, "400") end
  local why = complaint(text, message)
  if why then return refuse(handle, "400", why) end
  if form then put(handle, body, text) end
end

envoy_on_request = guarded(look)
