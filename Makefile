# Lyceum: `make demo` shows it, `make test` checks it, `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)

RUN := .venv/bin/python -m
LOCAL := $(RUN) lyceum_local
IN_IMAGES := $(RUN) lyceum_images
CHOSEN = $(addprefix --only ,$(ONLY)) $(addprefix --version ,$(VERSION))
IMAGES := $(wildcard services/*/Dockerfile services/*/*.Dockerfile tools/*/Dockerfile clients/*/Dockerfile deploy/gateway/Dockerfile deploy/local/images/*/Dockerfile deploy/images/bases/*.Dockerfile)
CODE := $(wildcard libs services clients tools deploy tests bench)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-20s %s\n", $$1, $$2 }'

setup: ## .venv from the hashed requirements and the packages of this tree; instant when nothing changed
	@deploy/local/scripts/setup.sh

demo: ## set up, start everything, replay real input and print the results; KEEP=0 stops it after, FULL=1 takes all the input
	@deploy/local/scripts/demo.sh

up: setup ## start everything; safe to repeat; TLS=1: mutual TLS inside; CONTAINERS=1 in containers, by Compose, after make images
	@$(if $(CONTAINERS),$(IN_IMAGES) $(addprefix --version ,$(VERSION)) up,$(LOCAL) up $(if $(TLS),--tls))

down: ## stop everything, keep the data; CONTAINERS=1 what runs in containers
	@[ ! -x .venv/bin/python ] || $(if $(CONTAINERS),$(IN_IMAGES),$(LOCAL)) down

status: ## each process with its state and memory, and the sum
	@$(LOCAL) status

logs: ## follow the logs; SERVICE=billing or SERVICE=billing-work for one
	@$(LOCAL) logs $(SERVICE)

ops: setup ## operate a service of the local stack; make ops SERVICE=billing ARGS="doctor"
	@$(LOCAL) ops $(or $(SERVICE),$(error say which: make ops SERVICE=billing ARGS="doctor")) $(or $(ARGS),--help)

events: setup ## what a member or one request caused in all services of the local stack; MEMBER=ada or REQUEST=its x-request-id
	@$(LOCAL) events $(if $(REQUEST),--correlation $(REQUEST),--member $(or $(MEMBER),$(error say whose: make events MEMBER=ada)))

account: setup ## an importer, auditor or admin of the local stack, the password asked for; NAME=ada ROLE=importer PASSWORD_FILE=file
	@$(LOCAL) account $(or $(NAME),$(error say who: make account NAME=ada ROLE=importer)) --role $(or $(ROLE),$(error say which: make account NAME=ada ROLE=importer)) $(addprefix --password-file ,$(PASSWORD_FILE))

dashboard: setup ## the address of the pages of the local stack, and a log-in that may read all figures
	@$(LOCAL) dashboard

backup: setup ## save databases, keys, passwords and the provider's book while everything runs; TO=folder
	@$(LOCAL) backup $(addprefix --to ,$(TO))

restore: setup ## bring everything to what a backup holds; FROM=folder, FORCE=1 over what is there
	@$(LOCAL) restore --from $(or $(FROM),$(error say which: make restore FROM=folder)) $(if $(FORCE),--force)

migration: setup ## write the next migration of a service from its declared tables; SERVICE=catalog NAME=add_courses
	@$(LOCAL) migration $(or $(SERVICE),$(error say which: make migration SERVICE=catalog NAME=add_courses)) $(or $(NAME),$(error give it a NAME in snake_case))

service: setup ## make a service with a command, event, projection, query and tests, ready for make up; NAME=coupons
	@$(RUN) lyceum_generate service $(or $(NAME),$(error say which, in snake_case: make service NAME=coupons))
	@deploy/local/scripts/setup.sh
	@$(RUN) lyceum_generate

test: setup ## everything that must hold; independent parts side by side
	@tools/side_by_side.sh lint types imports unit
	@tools/side_by_side.sh components contracts
	@$(MAKE) --no-print-directory integration

lint: setup ## ruff, buf lint, hadolint
	$(RUN) ruff check --quiet .
	$(RUN) ruff format --quiet --check .
	$(RUN) lyceum_generate lint
	$(if $(IMAGES),.venv/bin/hadolint $(IMAGES))

types: setup ## mypy --strict
	$(RUN) mypy $(CODE)

imports: setup ## who may import whom
	.venv/bin/lint-imports
	.venv/bin/lint-imports --config libs/importlinter.toml
	.venv/bin/lint-imports --config clients/importlinter.toml

contracts: setup asyncapi ## the published language: goldens, compatibility, generated code up to date
	$(RUN) lyceum_generate breaking
	$(if $(wildcard libs/contracts/tests),$(RUN) pytest -q libs/contracts tools/generate $(wildcard tests/integration/contracts))

asyncapi: ## validate schemas/asyncapi.yaml with the reference parser; needs node, says so where it is absent
	@tools/asyncapi/validate.sh schemas/asyncapi.yaml

images: setup ## build all container images (Docker or buildah) and print their sizes; ONLY=billing VERSION=1.2.3 JSON=1 BASES=local
	@$(if $(filter local,$(BASES)),deploy/images/bases/build.sh)
	@$(IN_IMAGES) build $(CHOSEN) $(if $(JSON),--json)

images-bases: setup ## stand-ins under the names of the public images, for engines that reach no registry; FRESH=1
	@deploy/images/bases/build.sh

images-check: setup ## look at each built image, then start all processes from them until healthy, and stop them; ONLY=billing looks only
	@$(IN_IMAGES) check $(CHOSEN)
	@$(if $(ONLY),,$(IN_IMAGES) stack-check $(CHOSEN))

sbom: setup ## what each built image holds, as CycloneDX JSON in build/sbom/; ONLY=billing
	@$(IN_IMAGES) sbom $(CHOSEN)

licences: setup ## the licence of each third-party distribution of the built images; fails on unknown and forbidden ones; ONLY=billing JSON=1
	@$(IN_IMAGES) licences $(CHOSEN) $(if $(JSON),--json)

test-nightly: setup ## all properties on new and more examples, then any interleaving of writers, relays, replays and folds: 5,000 of it, some 3 hours; SEED=1
	HYPOTHESIS_PROFILE=nightly $(RUN) pytest -q -n 2 --dist worksteal -m hypothesis $(UNIT) --deselect libs/eventfold/tests/test_stateful.py $(addprefix --hypothesis-seed=,$(SEED))
	HYPOTHESIS_PROFILE=nightly $(addprefix HYPOTHESIS_SEED=,$(SEED)) $(RUN) pytest -q -s libs/eventfold/tests/test_stateful.py

registry-trial: setup ## try Confluent's framing against a real Apicurio Registry and Kafka; fetches the registry once
	@tools/registry/trial.sh

reco-train-trial: setup ## make the environment for training (about 1 GB, once) and train by LightFM and Spark in it
	@deploy/local/scripts/training.sh >/dev/null
	$(RUN) pytest -q services/reco/tests/test_reco_training_trial.py deploy/k8s/tests/test_reco_train_trial.py

UNIT := $(filter-out tests bench,$(CODE)) $(wildcard bench/tests) --ignore=libs/contracts/tests --ignore=tools/generate/tests
unit: setup ## tests that need no server
	$(RUN) pytest -q -n 2 --dist worksteal -m "not servers" $(UNIT)

COMPONENTS_AT_ONCE := 3 # they wait more than they compute; each has servers of its own
components: setup ## tests of single parts on a real PostgreSQL and Kafka
	$(RUN) pytest -q -n $(COMPONENTS_AT_ONCE) --dist worksteal -m servers $(UNIT)

integration: setup ## tests on two stacks of their own: real PostgreSQL, Kafka, Envoy
	$(if $(wildcard tests/integration),$(RUN) pytest -q -n 2 --dist loadfile tests/integration --ignore=tests/integration/contracts)

test-containers: setup ## the integration tests on a stack in containers, after make images; ONLY=journeys; what needs processes of this machine says so
	LYCEUM_STACK=containers TESTCONTAINERS_RYUK_DISABLED=true $(RUN) pytest -q tests/integration/$(ONLY)

api-trial: setup ## requests of all kinds by the OpenAPI document on a stack of its own, about 4 minutes; EXAMPLES=100 SEED=1
	API_TRIAL_EXAMPLES=$(or $(EXAMPLES),100) $(RUN) pytest -q tests/integration/edge/test_openapi.py $(addprefix --hypothesis-seed=,$(SEED))

FAULTS := PYTHONPATH=libs/eventfold/tests/support $(RUN) tests.faults
faults: setup ## faults on real processes, about 45 minutes, resumable; ONLY=kill-relay TRIALS=3 SEED=1 FRESH=1
	$(FAULTS) $(addprefix --only ,$(ONLY)) $(addprefix --trials ,$(TRIALS)) $(addprefix --seed ,$(SEED)) $(if $(FRESH),--fresh) --document

faults-stack: setup ## power loss, lost topics, restored databases under the whole product; ONLY=power-loss TRIALS=3 SEED=1 FRESH=1
	$(FAULTS).stack $(addprefix --only ,$(ONLY)) $(addprefix --trials ,$(TRIALS)) $(addprefix --seed ,$(SEED)) $(if $(FRESH),--fresh) --document

rehearse-upgrade: setup ## an older version (FROM=commit) and this one side by side under load: no request fails, nothing is lost; some 6 minutes; RATE=100; BACK=1 and back again; FROM= only restarts
	PYTHONPATH=tests/integration/support $(RUN) tests.rehearsal $(addprefix --from ,$(or $(FROM),$(if $(filter undefined,$(origin FROM)),$(shell git describe --tags --abbrev=0 2>/dev/null || git rev-list -n 1 --skip=10 HEAD)))) --rate $(or $(RATE),100) $(if $(BACK),--back)

load: setup ## a mixed day of 20,000 members at a rising rate until the machine has no more, then 4 times that, and whether it recovers; SECONDS_EACH=20 MEMBERS=20000
	PYTHONPATH=tests/integration/support $(RUN) tests.rehearsal.saturation --seconds $(or $(SECONDS_EACH),20) $(addprefix --members ,$(MEMBERS))

soak: setup ## MINUTES=30 at half of the top rate (or RATE=): memory flat, lag bounded
	$(FAULTS).soak --minutes $(or $(MINUTES),30) $(addprefix --rate ,$(RATE))

bench: setup ## measure folds, appends and latencies beside their peers; ONLY="folds append" QUICK=1 JSON=file
	$(RUN) bench $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(addprefix --json ,$(JSON))

ML100K ?= ../shared/data/ml-100k
bench-reco: setup ## judge the recommender on MovieLens-100K (ML100K=folder), 5 seeds, about an hour; SEEDS=1 VARIANT=strict OUTCOMES=folder CARD=file
	$(RUN) bench.recommending --data $(ML100K) $(addprefix --seeds ,$(SEEDS)) $(addprefix --variant ,$(VARIANT)) $(addprefix --outcomes ,$(OUTCOMES)) $(addprefix --card ,$(CARD))

bench-reco-peers: setup ## the recommender's peers on the same stream, and ours against the best; SEEDS=1 VARIANT=strict OURS=kept OUTCOMES=folder
	$(RUN) bench.recommending_peers --data $(ML100K) $(addprefix --seeds ,$(SEEDS)) $(addprefix --variant ,$(VARIANT)) $(addprefix --ours ,$(OURS)) $(addprefix --outcomes ,$(OUTCOMES))

bench-reco-nexteval: setup ## RecNextEval judges the recommender by its own protocol; needs Python 3.13 or newer, says so where there is none
	$(RUN) bench.recommending_nexteval --data $(ML100K)

bench-reco-growth: setup ## the recommender's time and memory with 1,000, 10,000 and 100,000 items, synthetic
	$(RUN) bench.recommending_growth

bench-gateway: setup ## what the gateway costs: JSON through Envoy beside direct gRPC and a bare server; SECONDS_EACH=8 JSON=file
	$(RUN) bench.gateway $(addprefix --seconds ,$(SECONDS_EACH)) $(addprefix --json ,$(JSON))

bench-metrics: setup ## how fast metrics folds, and how long its answers take with 1,000,000 events; EVENTS=100000
	OPENBLAS_NUM_THREADS=1 $(RUN) bench.figures $(addprefix --events ,$(EVENTS))

bench-privacy: setup ## private releases beside OpenDP and PyDP's own aggregations, 10^4 to 10^6 rows; ROWS="10000 100000" RELEASES=100
	$(RUN) bench.releasing $(if $(ROWS),--rows $(ROWS)) $(addprefix --releases ,$(RELEASES))

capacity: setup ## what a number of members needs, by measured unit costs; MEMBERS=5000000
	@$(RUN) bench.capacity $(addprefix --members ,$(MEMBERS))

generate: setup ## write the generated code, OpenAPI, event catalogue and AsyncAPI anew; add missing goldens
	$(RUN) lyceum_generate

k8s: setup ## write the Kubernetes manifests that follow from the code
	$(RUN) lyceum_k8s

k8s-render: setup ## print the objects of an overlay: make -s k8s-render OVERLAY=prod
	@$(RUN) lyceum_k8s render $(or $(OVERLAY),$(error say which: make -s k8s-render OVERLAY=prod))

k8s-trial: setup ## apply all manifests to a real API server, built from its modules once (10 minutes); needs Go; CRDS=folder
	@$(if $(CRDS),CRDS="$(abspath $(CRDS))") deploy/k8s/apiserver/trial.sh

requirements: setup ## resolve requirements/*.in into hashed *.txt
	@deploy/local/scripts/compile.sh --upgrade

clean: ## remove .venv and caches; the stack's data stays
	rm -rf .venv .venv.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
