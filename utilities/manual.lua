-- SPDX-License-Identifier: Apache-2.0
--
-- What pandoc does to our manual pages on the way to man(7): literal text becomes bold, dashes stay dashes that can be copied into a
-- shell, and code keeps its lines. Used by build-manuals.sh.

local escapes = {
  ["\\"] = "\\e", ["-"] = "\\-", ["'"] = "\\[aq]", ["`"] = "\\[ga]", ["^"] = "\\[ha]", ["~"] = "\\[ti]", ['"'] = "\\[dq]",
}

local function literal(text)
  return (text:gsub("[\\%-'`^~\"]", escapes))
end

local function bold(text)
  return pandoc.RawInline("man", "\\fB" .. literal(text) .. "\\fR")
end

function Code(code) return bold(code.text) end

function Strong(strong) return bold(pandoc.utils.stringify(strong)) end

function CodeBlock(block)
  local lines = {}
  for line in (block.text .. "\n"):gmatch("(.-)\n") do
    -- A line that begins with a dot would be a request.
    lines[#lines + 1] = (line:find("^%.") and "\\&" or "") .. literal(line)
  end
  return pandoc.RawBlock("man", ".PP\n.RS 4\n.nf\n" .. table.concat(lines, "\n") .. "\n.fi\n.RE")
end
