#!/usr/bin/env bash
# Makes the manual pages: Documentation/man/NAME.SECTION.md becomes DIRECTORY/NAME.SECTION (default: .build/man).
#
# pandoc does it: it is the tool for such work that every distribution carries, and of those tried (lowdown, go-md2man) the only one
# whose lists of options are those of man(7), so that every viewer shows them well.
set -euo pipefail
. "$(dirname "$0")/common.sh"

directory=${1:-$top/.build/man}
need_packages pandoc
mkdir -p "$directory"
for page in "$top"/Documentation/man/*.md; do
  target=$directory/$(basename "$page" .md)
  # A paragraph begins by itself under a heading: pandoc says so once more, which mandoc complains about. Its font for code, which
  # the filter has no use for, would need a terminal's set of fonts. Dots at the end of a line are not the end of a sentence.
  pandoc --standalone --from markdown-smart --to man --columns 78 --lua-filter "$top/utilities/manual.lua" "$page" \
    | awk '/^\.\\" Define V font/ { skip = 1 } /^\.TH/ { skip = 0 } skip { next }
           /^\.hy$/ { next }
           /^[^.].*\.\.\.$/ { $0 = $0 "\\&" }
           heading && /^\.(PP|LP)$/ { heading = 0; next } { heading = /^\.S[HS]/; print }' >"$target.new"
  mv "$target.new" "$target"
done
