#!/usr/bin/env bash
# Formats the project's Swift by .swift-format. Usage: utilities/format.sh [--check] [FILE|DIRECTORY]...
# --check changes nothing, prints what would change and fails if there is anything.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=format
if [[ ${1-} == --check ]]; then
  mode=check
  shift
fi
paths=("$@")
((${#paths[@]})) || paths=(Package.swift Sources Tests Fuzz)

if [[ $mode == check ]]; then
  exec swift format lint --strict --recursive --parallel --configuration .swift-format "${paths[@]}"
fi
exec swift format format --in-place --recursive --parallel --configuration .swift-format "${paths[@]}"
