# sio_demo: `make run` is all it takes, `make help` lists the rest.
#
# CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS are yours: what you set is used last and wins.

ifeq ($(origin CXX),default)
CXX := $(shell command -v g++ >/dev/null 2>&1 || ! command -v clang++ >/dev/null 2>&1 && echo g++ || echo clang++)
endif
export CXX CPPFLAGS CXXFLAGS LDFLAGS LDLIBS
# Where tests/setup unpacks servers.
export PATH := $(PATH):/usr/sbin:$(CURDIR)/build/tools

COMPILE = $(CXX) -std=c++20 -pthread -I.
YOURS   = $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)

# Tests: every warning we know of is an error, in our code; what -I in CPPFLAGS brings is somebody else's.
STRICT  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Werror
TESTING = $(STRICT) $(subst -I,-isystem ,$(CPPFLAGS)) $(CXXFLAGS)

# Sanitizers are clang's: it instruments in half the time. What the standard library can check is a finding, too. The last
# three macros are what g++ and its Asio have by themselves: without them, coroutines were not compiled.
ASAN     = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -D_GLIBCXX_ASSERTIONS \
           -D__SANITIZE_ADDRESS__=1 -DASIO_HAS_CO_AWAIT=1 -DASIO_HAS_STD_COROUTINE=1
ASAN_CXX = $(shell command -v clang++-19 || echo clang++) -std=c++20 -pthread -I. $(ASAN)

# Every target with a description but the first is a command, not a file.
HASH := \#
.PHONY: $(filter-out sio_demo,$(shell sed -n 's/^\([a-z-]*\):.*$(HASH)$(HASH) .*/\1/p' Makefile))
.DELETE_ON_ERROR:

sio_demo: main.cpp sio_demo.hpp  ## build the demo (the default)
	@tests/setup build
	$(COMPILE) -O2 main.cpp -o $@ $(YOURS) $(LDLIBS)

run: sio_demo                    ## build and start it; flags: make run ARGS="--port 5000"
	@exec ./sio_demo $(ARGS)

test: setup-test                 ## what to run after a change: 8 minutes or less; some: make test SUITES="unit e2e" ONLY=recovery
	@python3 tests/run.py test $(SUITES)

check: setup-check               ## every suite, the sanitizers too: 30 minutes or less; SUITES and ONLY as above
	@python3 tests/run.py check $(SUITES)

check-rest: setup-check          ## what check has beyond test
	@python3 tests/run.py rest $(SUITES)

lint:                            ## hold the sources to what no tool knows; some: make lint ONLY=words
	@python3 tests/lint.py

tidy:                            ## hold them to clang-tidy, clang-format, codespell, doxygen and pyflakes; some: make tidy ONLY=format
	@tests/setup tidy && python3 tests/lint.py --tools

format:                          ## write all C++ but the workshop's as .clang-format says
	@tests/setup tidy && clang-format-19 -i sio_demo.hpp main.cpp $$(git ls-files 'tests/*.cpp' 'tests/*.hpp')

fuzz: build/fuzz/fuzz            ## look for bugs with libFuzzer; some: make fuzz TARGETS="http packet" SECONDS=600
	@python3 tests/fuzz/run.py --seconds $(or $(SECONDS),60) $(TARGETS)

abuse: setup-check               ## attack a server of ours in 130 ways, a line each; make abuse ONLY=40-48
	@$(MAKE) --no-print-directory build/abuse_server sio_demo && node tests/abuse/run.js $(ARGS)

bench: setup-check               ## measure ours beside the official server, and what a build costs; some: make bench ARGS="--cases echo-1000,paced-64 --rounds 5"
	@$(MAKE) --no-print-directory build/bench_server build/load && python3 tests/bench/bench.py $(ARGS)

cost:                            ## what the header costs a build, beside Asio and JSON alone; fails beyond 1.8 times with bodies apart
	@tests/setup build && python3 tests/bench/bench.py --cost

matrix: setup-check              ## build and try the demo by every compiler that can be had; some: make matrix ONLY="clang|windows"
	@python3 tests/matrix/run.py

matrix-handlers: build/sanitize/handlers  ## every place that calls user code × every call that user code can make, and random sequences
	@python3 tests/handlers/run.py --all

storm: build/storm build/storm_server  ## throw storms of clients at a server; some: make storm ARGS="churn jitter"
	@python3 tests/bench/storm.py $(ARGS)

picture: setup-check             ## take the picture at the top of README.md anew, from the demo's page in a browser
	@$(MAKE) --no-print-directory sio_demo && node tests/picture/make.js

setup:                           ## install what the build lacks, nothing when all is there
	@tests/setup build

setup-test:                      ## install what make test lacks, nothing when all is there
	@tests/setup test

setup-check:                     ## install what make check lacks, nothing when all is there
	@tests/setup check

install:                         ## the header, for pkg-config and CMake, too; make install PREFIX=/usr/local DESTDIR=
	@mkdir -p "$(INTO)/include" "$(INTO)/share/pkgconfig" "$(INTO)/share/cmake/sio_demo"
	install -m 644 sio_demo.hpp "$(INTO)/include/sio_demo.hpp"
	@printf '%s\n' "$$PKG_CONFIG_FILE" > "$(INTO)/share/pkgconfig/sio_demo.pc"
	@printf '%s\n' "$$CMAKE_CONFIG" > "$(INTO)/share/cmake/sio_demo/sio_demo-config.cmake"
	@printf '%s\n' "$$CMAKE_VERSION" > "$(INTO)/share/cmake/sio_demo/sio_demo-config-version.cmake"

uninstall:                       ## remove what install has put there, with the same PREFIX and DESTDIR
	rm -f "$(INTO)/include/sio_demo.hpp" "$(INTO)/share/pkgconfig/sio_demo.pc"
	rm -rf "$(INTO)/share/cmake/sio_demo"

clean:                           ## remove what was built
	rm -rf sio_demo build

help:                            ## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# ---- What install writes ---------------------------------------------------------------------------
#
# All paths are relative to the files that state them, so that the tree may be moved.

PREFIX ?= /usr/local
INTO    = $(DESTDIR)$(PREFIX)
VERSION = $(shell awk -F '"' '/define SIO_DEMO_VERSION "/ { print $$2 }' sio_demo.hpp)

# Asio is not required here, since nobody packages a file of its for pkg-config.
define pkg_config_file
prefix=$${pcfiledir}/../..

Name: sio_demo
Description: A Socket.IO v4 server for C++20 in one header
Version: $(VERSION)
Requires: nlohmann_json >= 3.11
Cflags: -I$${prefix}/include -pthread
Libs: -pthread
endef

define cmake_config
# The target sio_demo::sio_demo, with which a program has the header, C++20, threads, Asio and nlohmann/json.
get_filename_component(_sio_demo_prefix "$${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

# Asio comes without a package for CMake, nlohmann/json with one unless it was copied.
find_path(SIO_DEMO_ASIO_DIR asio/io_context.hpp)
find_package(nlohmann_json 3.11 CONFIG QUIET)
if(NOT nlohmann_json_FOUND)
  find_path(SIO_DEMO_JSON_DIR nlohmann/json.hpp)
endif()
find_package(Threads QUIET)

set(_sio_demo_missing "")
if(NOT SIO_DEMO_ASIO_DIR)
  string(APPEND _sio_demo_missing "sio_demo needs Asio 1.22 or later, and found no asio/io_context.hpp: install it (Debian: apt-get install libasio-dev) or say where it is by -DSIO_DEMO_ASIO_DIR=FOLDER. ")
endif()
if(NOT nlohmann_json_FOUND AND NOT SIO_DEMO_JSON_DIR)
  string(APPEND _sio_demo_missing "sio_demo needs nlohmann/json 3.11 or later, and found no nlohmann/json.hpp: install it (Debian: apt-get install nlohmann-json3-dev) or say where it is by -DSIO_DEMO_JSON_DIR=FOLDER. ")
endif()
if(NOT Threads_FOUND)
  string(APPEND _sio_demo_missing "sio_demo needs threads, and CMake found none: say project(... CXX) before find_package. ")
endif()
if(_sio_demo_missing)
  set(sio_demo_FOUND FALSE)
  set(sio_demo_NOT_FOUND_MESSAGE "$${_sio_demo_missing}")
  return()
endif()

if(NOT TARGET sio_demo::sio_demo)
  add_library(sio_demo::sio_demo INTERFACE IMPORTED)
  target_compile_features(sio_demo::sio_demo INTERFACE cxx_std_20)
  target_include_directories(sio_demo::sio_demo INTERFACE "$${_sio_demo_prefix}/include" "$${SIO_DEMO_ASIO_DIR}")
  target_link_libraries(sio_demo::sio_demo INTERFACE Threads::Threads)
  if(nlohmann_json_FOUND)
    target_link_libraries(sio_demo::sio_demo INTERFACE nlohmann_json::nlohmann_json)
  else()
    target_include_directories(sio_demo::sio_demo INTERFACE "$${SIO_DEMO_JSON_DIR}")
  endif()
endif()
endef

define cmake_version
set(PACKAGE_VERSION "$(VERSION)")

# Before 1.0 another minor version is another interface, from then on another major one is.
string(REGEX MATCH "^(0[.])?[0-9]+" _sio_demo_have "$${PACKAGE_VERSION}")
string(REGEX MATCH "^(0[.])?[0-9]+" _sio_demo_want "$${PACKAGE_FIND_VERSION}")
if(_sio_demo_have STREQUAL _sio_demo_want AND NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
endef

install: export PKG_CONFIG_FILE = $(pkg_config_file)
install: export CMAKE_CONFIG = $(cmake_config)
install: export CMAKE_VERSION = $(cmake_version)

# ---- What the tests and the benchmark run ----------------------------------------------------------
#
# Small programs take the header's declarations from a precompiled header, and its bodies from one object. Both exist
# as they are built fastest, and under the sanitizers; the bodies optimised as well, for what is measured.

UNIT     := inside.o $(patsubst tests/unit/%.cpp,%.o,$(wildcard tests/unit/*.cpp))  # the one that takes longest first
PROGRAMS := $(basename $(notdir $(wildcard tests/e2e/*/*.cpp tests/abuse/*.cpp)))
BODIES    = -DSIO_DEMO_SEPARATE -DSIO_DEMO_IMPLEMENTATION -x c++ sio_demo.hpp -c -o $@
vpath %.cpp $(wildcard tests/e2e/*/) tests/abuse/

# g++ finds a precompiled header by its folder, clang++ is told its name.
CXX_NAME  = $(notdir $(firstword $(CXX)))
ifneq ($(findstring clang,$(CXX_NAME)),)
PCH       = build/pch/$(CXX_NAME)/sio_demo.hpp.pch
USE_PCH   = -include-pch $(PCH)
else
PCH       = build/pch/$(CXX_NAME)/sio_demo.hpp.gch
USE_PCH   = -I$(dir $(PCH))
endif
ASAN_PCH  = build/sanitize/sio_demo.hpp.pch
# PLAIN and SANITIZED use a precompiled header; what makes one, or has the bodies, cannot.
DECLARED  = $(CXX) -std=c++20 -pthread $(1) -I. -O0 $(TESTING) -DSIO_DEMO_SEPARATE
PLAIN     = $(call DECLARED,$(USE_PCH))
ASAN_DECLARED = $(ASAN_CXX) -O0 $(TESTING) -DSIO_DEMO_SEPARATE
SANITIZED = $(ASAN_DECLARED) -include-pch $(ASAN_PCH)

$(PCH): sio_demo.hpp
	@tests/setup build && mkdir -p $(@D)
	$(call DECLARED) -x c++-header $< -o $@

$(ASAN_PCH): sio_demo.hpp | build/sanitize
	@tests/setup fuzz
	$(ASAN_DECLARED) -x c++-header $< -o $@

build/bodies.o: sio_demo.hpp | build
	@tests/setup build
	$(COMPILE) -O0 $(TESTING) $(BODIES)

build/sanitize/bodies.o: sio_demo.hpp | build/sanitize
	@tests/setup fuzz
	$(ASAN_CXX) -O1 $(TESTING) $(BODIES)

build/fast_bodies.o: sio_demo.hpp | build
	@tests/setup build
	$(FAST) $(BODIES)

$(PROGRAMS:%=build/%): build/%: %.cpp build/bodies.o $(PCH)
	$(PLAIN) $< build/bodies.o -o $@ $(LDFLAGS) $(LDLIBS)

$(PROGRAMS:%=build/sanitize/%): build/sanitize/%: %.cpp build/sanitize/bodies.o $(ASAN_PCH)
	$(SANITIZED) $< build/sanitize/bodies.o -o $@ $(LDFLAGS) $(LDLIBS)

# Unit tests: those that look inside the implementation are one file with it, and so bring it for the others.
build/unit_tests: $(UNIT:%=build/unit/%)
	$(COMPILE) $^ -o $@ $(CXXFLAGS) $(LDFLAGS) $(LDLIBS)

build/sanitize/unit_tests: $(UNIT:%=build/sanitize/unit/%)
	$(ASAN_CXX) $^ -o $@ $(CXXFLAGS) $(LDFLAGS) $(LDLIBS)

build/unit/inside.o: $(wildcard tests/unit/inside/*.cpp tests/unit/*.hpp) sio_demo.hpp | build/unit
	$(call DECLARED) -c tests/unit/inside/inside.cpp -o $@

build/sanitize/unit/inside.o: $(wildcard tests/unit/inside/*.cpp tests/unit/*.hpp) sio_demo.hpp | build/sanitize/unit
	$(ASAN_DECLARED) -c tests/unit/inside/inside.cpp -o $@

build/unit/%.o: tests/unit/%.cpp $(wildcard tests/unit/*.hpp) $(PCH) | build/unit
	$(PLAIN) -c $< -o $@

build/sanitize/unit/%.o: tests/unit/%.cpp $(wildcard tests/unit/*.hpp) $(ASAN_PCH) | build/sanitize/unit
	$(SANITIZED) -c $< -o $@

# Chapter 15, the demo service, is where the implementation is.
build/sanitize/sio_demo: main.cpp sio_demo.hpp | build/sanitize
	@tests/setup fuzz
	$(ASAN_CXX) -O1 main.cpp -o $@ $(YOURS) $(LDLIBS)

build/sanitize/storm_server: tests/bench/storm_server.cpp build/sanitize/bodies.o $(ASAN_PCH)
	$(SANITIZED) $< build/sanitize/bodies.o -o $@ $(LDFLAGS) $(LDLIBS)

build/sanitize/handlers: tests/handlers/handlers.cpp tests/handlers/client.hpp build/sanitize/bodies.o $(ASAN_PCH)
	$(SANITIZED) $< build/sanitize/bodies.o -o $@ $(LDFLAGS) $(LDLIBS)

# What is measured is optimised.
FAST = $(COMPILE) -O2 -DNDEBUG $(TESTING)
build/bench_server: tests/bench/server.cpp
build/storm_server: tests/bench/storm_server.cpp
build/bench_server build/storm_server: build/fast_bodies.o
	$(FAST) -DSIO_DEMO_SEPARATE $(filter %.cpp,$^) build/fast_bodies.o -o $@ $(LDFLAGS) $(LDLIBS)

build/load build/storm: build/%: tests/bench/%.cpp | build
	$(COMPILE) -O2 $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build/fuzz/fuzz: LEVEL = -O1
build/fuzz/replay: LEVEL = -O0
build/fuzz/fuzz build/fuzz/replay: tests/fuzz/fuzz.cpp $(wildcard tests/fuzz/*.hpp) tests/handlers/client.hpp tests/unit/sequence.hpp sio_demo.hpp | build/fuzz
	@tests/setup fuzz
	$(ASAN_CXX) $(LEVEL) -fsanitize=fuzzer $(TESTING) $< -o $@ $(LDFLAGS) $(LDLIBS)

build build/unit build/sanitize build/sanitize/unit build/fuzz:
	@mkdir -p $@
