-- A form as JSON, for the paths in FORMS, which is put before this. The transcoder would refuse a form and repeat it in its
-- answer, passwords included.

local function is_form(route, kind)
  return FORMS[route] and kind:match("^application/x%-www%-form%-urlencoded") ~= nil
end

local function in_utf8(kind)
  local charset = kind:match("charset%s*=%s*\"?([^%s;\"]*)")
  return charset == nil or charset == "utf-8"
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
