-- What is text, in JSON, forms and queries.
local MAX_NAME_CHARS = 100
local find, byte, sub = string.find, string.byte, string.sub

-- where a character of more than one byte that begins at `at` ends, or nil if it is none of UTF-8
local function end_of_character(text, at)
  local first, second = byte(text, at, at + 1)
  local size = first >= 0xF0 and 4 or first >= 0xE0 and 3 or 2
  if first < 0xC2 or first > 0xF4 or second == nil then return nil end
  if first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F then return nil end
  if first == 0xF0 and second < 0x90 or first == 0xF4 and second > 0x8F then return nil end
  for place = at + 1, at + size - 1 do
    local next = byte(text, place)
    if next == nil or next < 0x80 or next > 0xBF then return nil end
  end
  return at + size - 1
end

local function is_utf8(text)
  local at = find(text, "[\128-\255]")
  while at do
    local stop = end_of_character(text, at)
    if stop == nil then return false end
    local next = byte(text, stop + 1)
    at = next and next >= 0x80 and stop + 1 or find(text, "[\128-\255]", stop + 1)
  end
  return true
end

-- nil for a percent sign that is not followed by two hexadecimal digits
local function decode(text)
  local plain = text:gsub("+", " ")
  if plain:gsub("%%%x%x", ""):find("%%") then return nil end
  return (plain:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end
