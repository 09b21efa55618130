# The workshop. build, demo, test and check need Go alone; integration needs the real components and says which.
# Works with GNU make 3.81 (macOS) and later. Without make, on Windows: scripts/build.ps1.

GO      ?= go
MODULE  := github.com/mcp-credential/mcp-credential
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X $(MODULE)/cmd/core.Version=$(VERSION)
FLAGS   := -trimpath -ldflags "$(LDFLAGS)"
OS      := $(shell $(GO) env GOOS)
EXE     := $(shell $(GO) env GOEXE)

# The macOS keychain is reached through cgo; nothing else needs a C compiler.
ifeq ($(OS),darwin)
CGO := 1
else
CGO := 0
endif

PREFIX ?= $(HOME)/.local
BINDIR := $(DESTDIR)$(PREFIX)/bin
SHARE  := $(DESTDIR)$(PREFIX)/share
COMPLETIONS := bash-completion/completions/mcp-credential zsh/site-functions/_mcp-credential fish/vendor_completions.d/mcp-credential.fish

PROGRAMS  := mcp-credential$(EXE) mcp-credential-core$(EXE)
LINKS     := git-credential-mcp$(EXE) docker-credential-mcp$(EXE) cargo-credential-mcp$(EXE)
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  ?= 5s
RUNS      ?= 200
TORTURE   ?= 10m

.PHONY: all help build install uninstall demo test integration hosts check format vet lint vulnerabilities cross bench fuzz torture model snapshot release pictures windows clean

all: build

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

build: ## both programs and the links for git, docker and cargo, in bin/
	CGO_ENABLED=$(CGO) $(GO) build $(FLAGS) -o bin/ ./cmd/...
	@for link in $(LINKS); do ln -sf mcp-credential$(EXE) bin/$$link || exit 1; done

install: build ## into $(PREFIX)/bin, below $(DESTDIR) where that is set
	mkdir -p "$(BINDIR)"
	@for program in $(PROGRAMS); do install -m 755 bin/$$program "$(BINDIR)/$$program" || exit 1; done
	@for link in $(LINKS); do ln -sf mcp-credential$(EXE) "$(BINDIR)/$$link" || exit 1; done
	@bin/mcp-credential-core man "$(SHARE)/man/man1"
	@mkdir -p $(foreach file,$(COMPLETIONS),"$(SHARE)/$(dir $(file))")
	@bin/mcp-credential-core completion bash > "$(SHARE)/bash-completion/completions/mcp-credential"
	@bin/mcp-credential-core completion zsh > "$(SHARE)/zsh/site-functions/_mcp-credential"
	@bin/mcp-credential-core completion fish > "$(SHARE)/fish/vendor_completions.d/mcp-credential.fish"
	@echo "installed in $(BINDIR): $(PROGRAMS) $(LINKS)"
	@echo "and in $(SHARE): manual pages, completions for bash, zsh and fish"

uninstall: ## what install has put there
	@for file in $(PROGRAMS) $(LINKS); do rm -f "$(BINDIR)/$$file" || exit 1; done
	@rm -f "$(SHARE)"/man/man1/mcp-credential.1 "$(SHARE)"/man/man1/mcp-credential-*.1
	@for file in $(COMPLETIONS); do rm -f "$(SHARE)/$$file" || exit 1; done

demo: build ## from sign-in to sign-out, in a world of its own
	@$(GO) run ./scripts/demo -bin bin

test: ## unit, contract, script and multi-process tests
	$(GO) test ./...

integration: build ## the same product against real components
	@sh scripts/integration/install.sh --check
	sh scripts/integration/run.sh

hosts: ## the bridge and the token command in real MCP hosts
	$(GO) test -count 1 -tags hosts -timeout 15m -parallel 3 ./integration/hosts

check: format vet cross ## format, vet and cross builds for every platform

format: ## fails where gofmt would change something
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not formatted: $$bad" >&2; exit 1; }

vet: ## go vet for every system; no file is for one processor alone
	@for platform in $(filter %/amd64,$(PLATFORMS)); do \
		echo "vet $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) vet -trimpath -tags integration,hosts,release,wine,faults ./... || exit 1; \
	done
ifeq ($(OS),darwin)
	CGO_ENABLED=1 $(GO) vet ./...
endif

lint: ## staticcheck, as scripts/check/go.mod pins it, and vet of the tests' clients
	cd integration/clients && $(GO) vet ./...
	program=$$(cd scripts/check && GOOS= GOARCH= $(GO) tool -n staticcheck) && $$program -tags integration,hosts,release,wine,faults ./...

vulnerabilities: ## govulncheck, which fetches what is known from vuln.go.dev
	program=$$(cd scripts/check && GOOS= GOARCH= $(GO) tool -n govulncheck) && $$program ./...

cross: ## the programs for every platform, in dist/
	@for platform in $(PLATFORMS); do \
		echo "build $$platform"; \
		mkdir -p dist/$$platform && \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build $(FLAGS) -o dist/$$platform/ ./cmd/... || exit 1; \
	done

bench: build ## whole processes against an empty Go program
	@$(GO) run ./scripts/bench -bin bin -runs $(RUNS) -strict

fuzz: ## every fuzzer for $(FUZZTIME), one on each processor at a time
	@sh scripts/fuzz.sh $(FUZZTIME)

torture: build ## kills, faults and races for $(TORTURE) each; needs what integration needs, and a C compiler
	TORTURE=$(TORTURE) $(GO) test -count 1 -v -tags integration -timeout 3h -parallel 3 -run '^TestTorture' ./integration
	TORTURE=$(TORTURE) INTEGRATION_RACE=1 $(GO) test -count 1 -v -tags integration -timeout 3h -run '^TestRacing' ./integration

model: ## spin on the model of the refresh, and on each mistake in it
	sh scripts/model/run.sh

snapshot: ## every archive and package of a release, in dist/
	sh scripts/release/run.sh snapshot

release: ## the same, made twice and compared; then installed, used and removed
	sh scripts/release/run.sh reproduce
	cd scripts/release && $(GO) tool actionlint ../../.github/workflows/*.yml
	$(GO) test -count 1 -tags release ./integration/release

pictures: build ## those of the README, from what demo and bench print
	@mkdir -p dist
	@$(GO) run ./scripts/demo -bin bin > dist/demo.txt
	@$(GO) run ./scripts/bench -bin bin -runs $(RUNS) > dist/bench.txt
	@$(GO) run ./scripts/pictures dist/demo.txt dist/bench.txt docs/pictures

windows: ## the Windows programs under wine
	sh scripts/windows/install.sh
	$(GO) test -count 1 -tags wine -timeout 10m ./integration/windows

clean: ## removes bin/ and dist/
	rm -rf bin dist dist-extras
