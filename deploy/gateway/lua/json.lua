-- Reads JSON once, strictly by RFC 8259, beside the fields of the message that it stands for. FIELDS is put before this:
-- by the full name of a message, its fields by both of their names: { name, of }.
local MAX_DEPTH = 32
local PLAIN_ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local NO_JSON = {}

-- the position after the escape at `at`, or nil and whether what is wrong is the character that it stands for
local function after_escape(text, at)
  if PLAIN_ESCAPES[sub(text, at + 1, at + 1)] then return at + 2 end
  local hex = text:match("^u(%x%x%x%x)", at + 1)
  if hex == nil then return nil, false end
  local code = tonumber(hex, 16)
  if code < 0xD800 or code > 0xDFFF then return at + 6 end
  local low = code < 0xDC00 and text:match("^\\u[dD][c-fC-F]%x%x", at + 6)
  if not low then return nil, true end
  return at + 12
end

local function decoded(name)
  if not find(name, "\\", 1, true) then return name end
  return (name:gsub("\\(u?)(%w?%w?%w?%w?)", function(u, rest)
    local code = u == "u" and tonumber(rest, 16) or nil
    return code and code < 0x80 and string.char(code) or nil
  end))
end

local Reader = {}
Reader.__index = Reader

local function path_of(places, depth)
  local parts = {}
  for level = 1, depth do
    local place = places[level]
    parts[#parts + 1] = type(place) == "number" and "[" .. place .. "]" or (level > 1 and "." or "") .. place
  end
  return table.concat(parts)
end

-- Refuses the field at `depth`. A name that is not one of ours is only repeated where its characters do no harm.
function Reader:refuse(depth, said)
  local path = path_of(self.places, depth)
  if #path > MAX_NAME_CHARS or find(path, "[^%w_.%[%]]") then path = "" end
  error({ field = path ~= "" and path or "request", said = said })
end

function Reader:refuse_name(depth, said)
  local name = self.places[depth]
  if #name > MAX_NAME_CHARS or not find(name, "^[%w_]+$") then
    depth, said = depth - 1, "holds an unknown field"
  end
  self:refuse(depth, said)
end

function Reader:skip()
  self.at = find(self.text, "[^ \t\r\n]", self.at) or #self.text + 1
  return byte(self.text, self.at)
end

-- the raw text between the quotes of the string here
function Reader:string(depth)
  local text, from = self.text, self.at + 1
  local at = from
  while true do
    at = find(text, '["\\%z\1-\31]', at)
    if at == nil or byte(text, at) < 0x20 then error(NO_JSON) end
    if byte(text, at) == 0x22 then break end
    local is_surrogate
    at, is_surrogate = after_escape(text, at)
    if is_surrogate then self:refuse(depth, "must be Unicode text") end
    if at == nil then error(NO_JSON) end
  end
  self.at = at + 1
  local raw = sub(text, from, at - 1)
  if self.beyond_ascii and not is_utf8(raw) then self:refuse(depth, "must be Unicode text") end
  return raw
end

function Reader:scalar()
  local text, at = self.text, self.at
  local _, stop = find(text, "^%l+", at)
  if stop then
    local word = sub(text, at, stop)
    if word ~= "true" and word ~= "false" and word ~= "null" then error(NO_JSON) end
  else
    _, stop = find(text, "^-?[1-9]%d*", at)
    if stop == nil then _, stop = find(text, "^-?0", at) end
    if stop == nil then error(NO_JSON) end
    local _, fraction = find(text, "^%.%d+", stop + 1)
    local _, exponent = find(text, "^[eE][+-]?%d+", (fraction or stop) + 1)
    stop = exponent or fraction or stop
  end
  self.at = stop + 1
end

-- what the value of a field may hold, by its decoded name: the full name of a message, "map …", or ""
function Reader:of(message, name, depth, seen)
  local field = nil
  if message == nil or message == "" then
    field = { name, "" } -- within what has no fields: the transcoder refuses it
  elseif message:sub(1, 3) == "map" then
    field = { name, message:sub(5) }
  else
    field = FIELDS[message][name]
  end
  if field == nil then self:refuse_name(depth, "is not a field of this request") end
  if seen[field[1]] then self:refuse_name(depth, "is there twice") end
  seen[field[1]] = true
  return field[2]
end

function Reader:object(message, depth)
  local seen = {}
  self.at = self.at + 1
  if self:skip() == 0x7D then self.at = self.at + 1 return end
  while true do
    if self:skip() ~= 0x22 then error(NO_JSON) end
    self.places[depth] = "?" -- its name is not known to be text yet
    local name = decoded(self:string(depth - 1))
    self.places[depth] = name
    if self:skip() ~= 0x3A then error(NO_JSON) end
    self.at = self.at + 1
    self:value(self:of(message, name, depth, seen), depth + 1)
    local mark = self:skip()
    self.at = self.at + 1
    if mark == 0x7D then return end
    if mark ~= 0x2C then error(NO_JSON) end
  end
end

function Reader:array(message, depth)
  local index = 0
  self.at = self.at + 1
  if self:skip() == 0x5D then self.at = self.at + 1 return end
  while true do
    self.places[depth] = index
    self:value(message, depth + 1)
    local mark = self:skip()
    self.at, index = self.at + 1, index + 1
    if mark == 0x5D then return end
    if mark ~= 0x2C then error(NO_JSON) end
  end
end

function Reader:value(message, depth)
  if depth > MAX_DEPTH then error({ field = "request", said = "is nested too deeply" }) end
  local first = self:skip()
  if first == 0x7B then
    self:object(message, depth)
  elseif first == 0x5B then
    self:array(message, depth)
  elseif first == 0x22 then
    self:string(depth - 1)
  else
    self:scalar()
  end
end

local function read(reader, message)
  reader:value(message, 1)
  if reader:skip() ~= nil then error(NO_JSON) end
end

-- Why `text` is not JSON of this message: { field, said } or, where it is no JSON at all, {}; nil where it is.
local function complaint(text, message)
  local reader = { text = text, at = 1, places = {}, beyond_ascii = find(text, "[\128-\255]") ~= nil }
  local is_read, why = pcall(read, setmetatable(reader, Reader), message)
  if is_read then return nil end
  return type(why) == "table" and why or NO_JSON
end
