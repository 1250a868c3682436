# The front door. CMake does the work; `make help` lists what there is.
#
# SPDX-License-Identifier: BSD-3-Clause
BUILD  ?= build
PREFIX ?= /usr/local
ARGS   ?=
JOBS   ?= $(shell nproc)
LABEL  ?= ^quick$$

# Presets whose quick tests `make check` runs besides the release build's long ones.
CHECK_PRESETS ?= debug asan ubsan tsan clang arm64

RELEASE   := $(BUILD)/release
configure  = cmake --preset $(1) -B $(BUILD)/$(1) $(CMAKE_ARGS) >/dev/null
compile    = cmake --build $(BUILD)/$(1) -j $(JOBS)
ctest      = ctest --test-dir $(BUILD)/$(1) --output-on-failure --schedule-random -j $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help run test quick check modes lib bench fmt fmt-check floors coverage install clean setup

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: ## build and run the example server; ARGS="--listen 127.0.0.1:6379" serves
	@tools/setup --build
	@$(call configure,release)
	@$(call compile,release) --target kvserver
	@$(RELEASE)/examples/kvserver $(ARGS)

test: ## quick tests of the release build, floors, format (under 3 minutes)
	@tools/setup
	@$(call configure,release)
	$(call compile,release)
	$(call ctest,release) -L '$(LABEL)'
	@$(MAKE) --no-print-directory fmt-check

check: test ## everything: long tests, stress modes, debug, sanitizers, clang, arm64 under qemu
	@tools/setup --check
	$(call ctest,release) -L '^(long|modes)$$'
	@set -e; for p in $(CHECK_PRESETS); do $(MAKE) --no-print-directory quick PRESET=$$p; done

quick: ## the quick tests of one preset: make quick PRESET=asan
	@$(call configure,$(PRESET))
	$(call compile,$(PRESET))
	$(call ctest,$(PRESET)) -L '$(LABEL)'
PRESET ?= release

modes: ## API and stress tests of the release build in every mode of test/modes.txt
	@$(call configure,release)
	$(call compile,release)
	$(call ctest,release) -L '^modes$$'

lib: ## build/release/libgort.a and libgort.so
	@tools/setup --build
	@$(call configure,release)
	@$(call compile,release) --target lib

bench: ## run a benchmark: make bench ARGS="name ..."; without ARGS all of them
	@tools/setup --build
	@$(call configure,release)
	@$(call compile,release) --target bench
	@cd $(RELEASE) && if [ -n "$(ARGS)" ]; then ./bench/$(ARGS); else \
	    for b in bench/*; do if [ -f $$b ] && [ -x $$b ]; then echo "== $$b"; ./$$b || exit 1; fi; done; fi

# FILES narrows both to some files: make fmt FILES="src/heap/span.c"
SOURCE_DIRS := include src test examples bench tools
FILES ?= $(shell find $(SOURCE_DIRS) -name '*.[ch]' -o -name '*.cc' 2>/dev/null)

fmt: ## format the sources in place
	@printf '%s\n' $(FILES) | xargs -r clang-format -i

fmt-check: ## fail where a source is not formatted
	@printf '%s\n' $(FILES) | xargs -r clang-format --dry-run 2>&1 >/dev/null | \
	    awk -F: '/clang-format-violations/ { n[$$1]++ } \
	    END { for (f in n) { print f ": " n[f] " places are not formatted (make fmt)"; bad = 1 } \
	    exit bad + 0 }'

floors: ## check that no floor knows a higher one (includes and symbols)
	@$(call configure,release)
	@$(call compile,release) --target lib
	@python3 tools/check_floors.py --build $(RELEASE)

coverage: ## line coverage of the quick tests, per file
	@$(MAKE) --no-print-directory quick PRESET=coverage
	@python3 tools/coverage.py $(BUILD)/coverage

install: lib ## install into $(DESTDIR)$(PREFIX)
	@DESTDIR="$(DESTDIR)" cmake --install $(RELEASE) --prefix "$(PREFIX)"

setup: ## install the Debian packages that are missing
	@tools/setup

clean: ## remove the build folder
	rm -rf $(BUILD)
