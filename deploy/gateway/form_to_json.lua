-- Turns a form body into JSON on exactly /register and /publish. The transcoder would refuse a form and repeat it in
-- its answer, passwords included.
local PATHS = { ["/register"] = true, ["/publish"] = true }

local function refuse(handle, why)
  handle:respond({ [":status"] = "400", ["content-type"] = "application/json" }, why)
end

-- nil for a percent sign that is not followed by two hexadecimal digits
local function decode(text)
  local plain = text:gsub("+", " ")
  if plain:gsub("%%%x%x", ""):find("%%") then return nil end
  return (plain:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

-- nil for a bad escape or a repeated field
local function to_json(body)
  local seen, parts = {}, {}
  for pair in body:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name, value = decode(name), decode(value)
    if name == nil or value == nil or name == "" or seen[name] then return nil end
    seen[name] = true
    parts[#parts + 1] = quote(name) .. ":" .. quote(value)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = (headers:get(":path") or ""):match("^[^?]*")
  local kind = (headers:get("content-type") or ""):lower()
  if not PATHS[path] or kind:match("^application/x%-www%-form%-urlencoded") == nil then return end
  local body = handle:body()
  local json = body and to_json(body:getBytes(0, body:length())) or nil
  if json == nil then return refuse(handle, "malformed form") end
  body:setBytes(json)
  headers = handle:headers() -- the one from before waiting for the body is out of scope
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(#json))
end
