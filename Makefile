# Taskwire. `make help` lists the targets. Go and make must be installed; everything else is built, or installed by name.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN       := $(CURDIR)/.taskwire/bin
TASKWIRE  := $(BIN)/taskwire
MODULES   := pkg/events pkg/events/schematest pkg/recurrence pkg/platform local testkit cmd/taskwire e2e services/audit services/audit-signer services/notification services/recurring-task services/task-api services/websocket
TOOL_MODS := tools/daprd tools/dev
FUZZ_TIME := 30s
UP_FLAGS  := $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA)) $(if $(DETACH),--detach)
DATA_FLAG := $(if $(DATA),--data $(DATA))

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "  Settings: PORT=8080 DATA=.taskwire DETACH=1 (up), PART=task-api (logs), RUN=regexp PKG=./services/audit/... (test-some)"

##@ Run
.PHONY: up down status logs
up: taskwire ## Build what is missing, start everything, print the address (PORT=, DATA=, DETACH=1)
	@exec $(TASKWIRE) up $(UP_FLAGS)
down: taskwire ## Stop what `make up` started; the data stays
	@$(TASKWIRE) down $(DATA_FLAG)
status: taskwire ## Show each part: pid, port, ready, restarts, memory
	@$(TASKWIRE) status $(DATA_FLAG)
logs: taskwire ## Show a part's log (PART=task-api)
	@$(TASKWIRE) logs $(DATA_FLAG) $(PART)

##@ Build
.PHONY: taskwire build daprd tools
taskwire: # the operator's tool, which builds everything else
	@./scripts/bootstrap.sh $(TASKWIRE)
build: taskwire ## Build the services, the tool and daprd into .taskwire/bin
	@$(TASKWIRE) build
daprd: taskwire ## Build daprd (once) into .taskwire/bin
	@$(TASKWIRE) build --only daprd
tools: ## Build the linters and the test runner (once) into .taskwire/bin
	@./scripts/tools.sh $(BIN)

##@ Check
.PHONY: test test-unit test-e2e test-some test-changed lint fmt fmt-check tidy tidy-check generate generate-check vuln tour fuzz
test: daprd tools ## Run the unit, store, contract and whole-stack tests on the real parts, with the race detector
	@./scripts/test.sh all
test-unit: daprd tools ## Run the unit, store and contract tests without the slow ones (-short)
	@./scripts/test.sh unit
test-e2e: daprd tools ## Run the whole-stack tests
	@./scripts/test.sh e2e
test-some: daprd tools ## Run some tests: PKG=./services/audit/... RUN=Append
	@./scripts/test.sh some "$(PKG)" "$(RUN)"
test-changed: daprd ## Repeat the tests of changed packages, to find flaky ones (REPEAT_COUNT=, REPEAT_TIME=, REPEAT_BASE=)
	@./scripts/repeat-changed.sh
tour: taskwire ## Run the tours of README.md and docs/api.md word for word against a running `make up` (PORT=)
	@./scripts/tour.sh $(if $(PORT),http://localhost:$(PORT))
lint: tools ## Run the linters, which also check the direction of imports
	@./scripts/each.sh "lint" $(BIN)/golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./... -- $(MODULES)
fmt: ## Format all Go files
	@gofmt -l -w $$(git ls-files '*.go')
fmt-check:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "not gofmt-ed (run make fmt):"; echo "$$bad"; exit 1; }
tidy: ## Run go mod tidy in every module
	@./scripts/each.sh "tidy" go mod tidy -- $(MODULES) $(TOOL_MODS)
tidy-check:
	@./scripts/each.sh "tidy" go mod tidy -diff -- $(MODULES) $(TOOL_MODS)
	@./scripts/each.sh "build alone" go build -o /dev/null ./... -- $(MODULES)
generate: ## Regenerate schemas, documents, the API's types and the proxies' routes
	@go generate ./pkg/events/... ./services/task-api/api/... ./local/routes/...
generate-check: generate
	@git diff --exit-code -- pkg/events docs/events.md services/task-api/api deploy/compose/Caddyfile k8s/base/ingress.yaml || { echo "generated files are stale: commit what make generate wrote"; exit 1; }
vuln: tools ## Look for known vulnerabilities that are not accepted in .ci/vulnerabilities.txt (needs the network)
	@./scripts/vuln.sh
fuzz: ## Fuzz each fuzz target for FUZZ_TIME (30s), and the task API against its document for 2 min
	@cd services/task-api && TASKWIRE_FUZZ_TIME=2m go test -count=1 -run '^TestTheServerKeepsToItsDocument$$' ./internal/httpapi
	@./scripts/fuzz.sh $(FUZZ_TIME)

##@ Measure
.PHONY: bench bench-smoke
bench: ## Run the benchmarks of the packages
	@go test -run '^$$' -bench . -benchmem $$(go list work | grep -v /e2e)
bench-smoke: daprd ## Measure the whole stack: create rate over its floor, commit to socket, start-up, memory
	@go run ./e2e/bench

##@ Other programs
.PHONY: interop
interop: ## Read the iCalendar export with ical.js and python-dateutil, and compare with the stored readings (UPDATE=1 stores them)
	@./scripts/interop.sh $(if $(UPDATE),update)

##@ Apache Kafka
.PHONY: test-kafka
test-kafka: daprd tools ## Run the whole-stack tests on Apache Kafka: at KAFKA_BROKERS, or fetched from Maven Central (RUN=)
	@./scripts/kafka.sh test "$(RUN)"

##@ Observability
TOOL_MODS += tools/prometheus tools/otelcol
.PHONY: observability-check
observability-check: ## Check the dashboards, scrape configurations and alert rules, and run the tests of the rules
	@./scripts/observability.sh $(BIN)

##@ Kubernetes
TOOL_MODS += tools/k8s
.PHONY: minikube minikube-down k8s-test
minikube: ## Bring Taskwire up on a Minikube: start it, Dapr, images, manifests; print the address (PROFILE=, CPUS=, MEMORY=)
	@./scripts/k8s/minikube.sh up
minikube-down: ## Remove Taskwire and its data from the Minikube; Minikube and Dapr stay
	@./scripts/k8s/minikube.sh down
k8s-test: ## Test on a real cluster: KUBECONFIG and INGRESS, or the lab in the folder K8S_LAB (RUN=, KEEP=1)
	@RUN="$(RUN)" ./scripts/k8s/test.sh

##@ Images and compose
MODULES += tools/images tools/repo e2e/compose
TOOL_MODS += tools/caddy
.PHONY: images images-test compose-env compose-test
images: ## Build the images, with or without Docker (VERSION=, IMAGES="task-api …")
	@./scripts/images.sh .taskwire/images $(IMAGES)
images-test: ## Build the images without Docker for amd64 and arm64, and test what is in them
	@cd tools/images && GOWORK=off go test -count=1 -timeout 45m .
compose-env: ## Write .env for docker-compose.yml, with new secrets
	@./scripts/compose-env.sh
compose-test: ## Test docker-compose.yml, start it without Docker and run the tours through its gateway (needs root)
	@./scripts/compose-test.sh

.PHONY: clean
clean: ## Remove the built programs; the data stays
	@rm -rf $(BIN)
