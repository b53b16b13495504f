# What people type. `make help` lists it. Everything that a target needs beyond the prerequisites
# (Rust, JDK, Python, a C compiler, Maven) is installed inside this checkout.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
TARGET := x86_64-unknown-linux-gnu
export PYTHON
export FIRESTEEL_ONNXRUNTIME := $(CURDIR)/build/native/libonnxruntime.so
CARGO_FLAGS := --release
JAR := build/dist/firesteel-spark_2.13-0.1.0.jar
BENCH ?= all
SEEDS ?= 100000
FROM ?= 0

.PHONY: help check setup native cli jar dist wheel demo test test-rust test-jvm test-python lint fmt bench simulate asan faults notice clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

check: ## say what is missing on this machine
	@tools/check_prerequisites.sh

setup: check $(VENV)/.installed ## install the Python environment (.venv)

$(VENV)/.installed: requirements-dev.txt
	@echo "firesteel: installing the Python environment into $(VENV) (once, about 2 minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

build/native/libonnxruntime.so:
	@tests/tools/fetch_onnxruntime.sh

native: setup build/native/libonnxruntime.so ## build the native library (build/native/libfiresteel.so)
	@cargo build $(CARGO_FLAGS) -p firesteel-jni
	@strip --strip-debug -o build/native/.libfiresteel.so target/$(TARGET)/release/libfiresteel.so
	@cmp -s build/native/.libfiresteel.so build/native/libfiresteel.so \
	  && rm build/native/.libfiresteel.so || mv build/native/.libfiresteel.so build/native/libfiresteel.so

cli: setup ## build the firesteel command (build/bin/firesteel)
	@cargo build $(CARGO_FLAGS) -p firesteel-cli
	@mkdir -p build/bin && cmp -s target/$(TARGET)/release/firesteel build/bin/firesteel \
	  || install -m 755 target/$(TARGET)/release/firesteel build/bin/firesteel

jar: native ## build the fat jar for --jars and Databricks
	@./sbt --error dist

wheel: jar ## build the Python wheel that carries the jar
	@python/build_wheel.sh

dist: jar wheel ## the fat jar and the wheel, in build/dist
	@ls -la build/dist

demo: jar cli ## run the main job: Kafka to model scores, end to end
	@$(PY) examples/demo/run_demo.py $(DEMO_ARGS)

test: test-rust test-jvm test-python ## run all tests

test-rust: setup build/native/libonnxruntime.so ## Rust unit, property and integration tests
	@cargo test $(CARGO_FLAGS) --workspace

test-jvm: native ## Scala and bridge tests
	@./sbt test dist writeClasspaths

test-python: jar cli wheel ## end-to-end tests with real Kafka and Spark
	@$(PY) -m pytest tests $(PYTEST_ARGS)

bench: jar cli ## benchmarks beside our peers; BENCH=kafka|windows|inference|latency|crossing|decode|trees|challengers|swap for one
	@$(PY) -m benches.run $(BENCH) $(BENCH_ARGS)

lint: setup ## rustfmt, clippy, scalafmt, ruff, mypy
	@cargo fmt --all --check
	@cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	@./sbt --error scalafmtCheckAll scalafmtSbtCheck
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

fmt: setup ## format everything
	@cargo fmt --all
	@./sbt --error scalafmtAll scalafmtSbt
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

simulate: setup build/native/libonnxruntime.so ## window state in simulated clusters; SEEDS=100000 FROM=0
	@FIRESTEEL_SEEDS=$(SEEDS) FIRESTEEL_FROM=$(FROM) cargo test $(CARGO_FLAGS) -p firesteel-engine --test simulation \
	  no_seed_finds_a_wrong_row_or_no_end -- --exact --nocapture

asan: jar ## bridge tests under AddressSanitizer inside the JVM
	@tests/tools/asan.sh

faults: jar cli wheel ## the long fault schedules in full (make test runs a seeded part)
	@FIRESTEEL_FULL=1 $(PY) -m pytest tests -m "faults or soak" $(PYTEST_ARGS)

notice: setup ## write NOTICE anew, after a change of dependencies
	@$(PY) tools/notice.py

clean: ## remove build outputs (keeps .venv)
	@rm -rf build target spark-plugin/target project/target target
