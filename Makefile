# Every target sets up what it needs; the scripts say what they install before they do.

.PHONY: build serve test lint soak perf perf-posix clean

build: ## .venv with the command packstone, and the native engine
	@scripts/build.sh

serve: build ## a server on ./data; S3 on port 9000, health and metrics on 9001
	@exec .venv/bin/packstone serve --data data --s3 127.0.0.1:9000 --control 127.0.0.1:9001

test: ## what CI runs: lint, then every test
	@scripts/test.sh

lint: ## formatting, lint and types of Python and Rust
	@scripts/lint.sh

soak: ## the long rounds of the tests
	@scripts/soak.sh

perf: ## the performance table; other servers by ARGS="--endpoint NAME=URL"
	@scripts/perf.sh $(ARGS)

perf-posix: ## the mount beside the disk, a mount that does nothing, and others that are installed; as root
	@scripts/perf_posix.sh $(ARGS)

clean: ## remove everything that was built or installed here; ./data stays
	@scripts/clean.sh
