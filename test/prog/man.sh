#!/usr/bin/env bash
# The manual pages are what the reference says, and every public call is in them.
#
# SPDX-License-Identifier: BSD-3-Clause
set -eu
source_dir=${GORT_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
command -v groff >/dev/null || { echo "groff is not installed"; exit 77; }
python3 "$source_dir/doc/man/make_man.py" --check
echo "manual pages: all well"
