-- Turns a form body into JSON on exactly /register and /publish. The transcoder would refuse a form and repeat it in
-- its answer, passwords included. Takes away, on every path, the headers in which only services speak.
local PATHS = { ["/register"] = true, ["/publish"] = true }
local OURS, FROM_CLIENTS = "^x%-lyceum%-", { ["x-lyceum-after"] = true }

-- the body is replaced by the gateway's own for the status
local function refuse(handle, status)
  handle:respond({ [":status"] = status }, "refused")
end

local function drop_internal(headers)
  local found = {}
  for name in pairs(headers) do
    if name:match(OURS) and not FROM_CLIENTS[name] then found[#found + 1] = name end
  end
  for _, name in ipairs(found) do headers:remove(name) end
end

local function in_utf8(kind)
  local charset = kind:match("charset%s*=%s*\"?([^%s;\"]*)")
  return charset == nil or charset == "utf-8"
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
  drop_internal(headers)
  local path = (headers:get(":path") or ""):match("^[^?]*")
  local kind = (headers:get("content-type") or ""):lower()
  if not PATHS[path] or kind:match("^application/x%-www%-form%-urlencoded") == nil then return end
  if not in_utf8(kind) then return refuse(handle, "415") end
  local body = handle:body()
  local json = body and to_json(body:getBytes(0, body:length())) or nil
  if json == nil then return refuse(handle, "400") end
  body:setBytes(json)
  headers = handle:headers() -- the one from before waiting for the body is out of scope
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(#json))
end
