# doorsill. `make` alone prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
BIN := $(VENV)/bin
STAMPS := .stamps
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
CIRCUITS := ngspice device-tree-compiler python3 python3-venv python3-libfdt
PACKAGES := python3-dev gcc pkg-config swig libpcsclite-dev \
            mosquitto pcscd vsmartcard-vpcd opensc systemd man-db zsh openssl openssh-client git \
            e2fsprogs btrfs-progs ffmpeg mtools fdisk dosfstools zstd nftables iproute2 iputils-ping \
            poppler-utils zbar-tools $(CIRCUITS)
DEMO_SECONDS ?= 60
# The tests wait more than they compute: two workers for each processor.
WORKERS ?= $(shell n=$$(( 2 * $$(nproc) )); echo $$(( n < 8 ? n : 8 )))
# Hundreds of processes start: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
SIDE_BY_SIDE := --numprocesses $(WORKERS) --dist loadscope

# Every target that has a line of help makes no file of its name.
TARGETS := $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)
.PHONY: $(TARGETS)

# A misspelt variable would be ignored, and a misspelt target gets make's own words.
VARIABLES := T RELEASE AS_USER DO ARCH PYTHON DEMO_SECONDS SOURCE LINE TOKEN WORKERS \
             BOARD FUZZ_SECONDS STARTS ONLY FULL KICAD TREE DAYS CAMERAS MAKEHUMAN WORK SCALE \
             CYCLES PLAIN DATA SUDO VENV DEVICE SITE VOUCHER IMAGE SERVER NETWORK WIRING PACKAGES BENCH OWN_LOCK ANY_DISK
GIVEN := $(foreach each,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(each)))),$(each)))
STRANGE := $(filter-out $(VARIABLES) SHELL MAKEFLAGS,$(GIVEN))
ifneq ($(STRANGE),)
$(error $(shell python3 scripts/meant variable "$(firstword $(STRANGE))" $(VARIABLES)))
endif
.DEFAULT:
	@python3 scripts/meant target "$@" $(TARGETS) >&2; exit 2

help: ## print the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMPS)/python $(STAMPS)/board ## install what is needed and make .venv

$(STAMPS)/system: scripts/install-system
	@mkdir -p $(STAMPS)
	@SUDO="$(SUDO)" bash scripts/install-system $(PACKAGES)
	@touch $@

$(STAMPS)/python: $(STAMPS)/system requirements/dev.txt pyproject.toml provisioning/pyproject.toml
	@[ -x $(PY) ] || { echo "make: creating $(VENV)"; python3 -m venv $(VENV); }
	@echo "make: installing the locked Python packages (about 3 minutes the first time)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable . --editable provisioning
	@touch $@

# The schemas of device trees, with Debian's own Python: it has libfdt.
$(STAMPS)/board: requirements/board.txt scripts/install-system
	@mkdir -p $(STAMPS)
	@SUDO="$(SUDO)" bash scripts/install-system $(CIRCUITS)
	@[ -x $(VENV)-board/bin/python ] || /usr/bin/python3 -m venv --system-site-packages $(VENV)-board
	@$(VENV)-board/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/board.txt
	@touch $@

demo: setup ## count on the simulated street (DEMO_SECONDS= SOURCE= ...)
	@$(BIN)/doorsill demo --seconds $(DEMO_SECONDS) \
	  $(if $(SOURCE),--source "$(SOURCE)") $(if $(LINE),--line "$(LINE)") $(if $(filter-out 0 no,$(TOKEN)),--token)

fleet-demo: setup ## bring 22 simulated cameras into service (CAMERAS=; 2 min.)
	@$(PY) -m doorsill_fleet.demo.fleet $(if $(CAMERAS),--cameras $(CAMERAS))

test: setup ## pass the tests (T="tests/vision -k turn" for a part)
	@$(PY) -m pytest $(or $(T),$(SIDE_BY_SIDE))

# The rooms whose tests mostly decide without doing. Of others: make quick T=tests/vault
QUICK := $(addprefix tests/,certificates channels config consent device documents \
           evaluation models policy privacy process uplink vision wire)

quick: setup ## pass what starts no process and plays no film (T=; 40 s)
	@$(PY) -m pytest --quick $(SIDE_BY_SIDE) $(or $(T),$(QUICK))

test-on: ## pass them in a fresh Debian, as root (RELEASE= T=)
	@bash scripts/test-on "$(RELEASE)" $(or $(DO),test) $(if $(T),T="$(T)")

# What reads LONG of tests/worlds/limits.py.
long: setup ## all of what `make test` tries a part of (4 minutes)
	@DOORSILL_LONG=1 $(PY) -m pytest $(SIDE_BY_SIDE) $(or $(T),$(shell grep -rlE "import.*\bLONG\b" tests))

trace-calls: setup ## hold the lists of system calls to the suite (10 minutes)
	@$(PY) scripts/trace-calls $(T)

confine-all: setup ## try every way out of every process (minutes)
	@DOORSILL_EVERY_ABI=1 $(PY) -m pytest tests/promises/test_ways.py

check: setup ## format, lint, types and tests, as CI does
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy --config-file tests/mypy.ini
	@$(PY) -m pytest $(SIDE_BY_SIDE)

data: setup ## fetch the public recordings that some tests want (DATA=)
	@$(PY) tests/worlds/data.py $(DATA)

matrix: setup ## hold 208 kinds of recording to FFmpeg (10 minutes)
	@$(PY) -m tests.matrix

FUZZ_SECONDS ?= 60
STARTS ?= 1500

fuzz: setup ## feed every parser (FUZZ_SECONDS= ONLY= STARTS=; 30 minutes)
	@$(PY) -m tests.fuzz $(FUZZ_SECONDS) $(ONLY)
	@$(PY) tests/worlds/turned.py $(STARTS)

mutants: setup ## change the product, see who notices (ONLY=; 30 minutes)
	@$(PY) -m tests.mutants $(ONLY)

format: setup ## rewrite the code in the house's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMPS)/bench ## measure beside the peers (ONLY="speed idle"; 65 minutes)
	@$(VENV)-bench/bin/python -m tests.bench $(ONLY)

# A peer (norfair) wants numpy 1, so the bench has an environment of its own.
$(STAMPS)/bench: $(STAMPS)/system requirements/bench.txt pyproject.toml
	@[ -x $(VENV)-bench/bin/python ] || python3 -m venv $(VENV)-bench
	@echo "make: installing the peers that we measure against (about 3 minutes)"
	@$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

replay: setup ## relive half a year of 22 cameras (DAYS=7 CAMERAS=; 45 min.)
	@$(PY) -m tests.replay $(if $(DAYS),--days $(DAYS)) $(if $(CAMERAS),--cameras $(CAMERAS))

TRAIN := $(VENV)-train/bin/python
MAKEHUMAN ?= ../shared/data/makehuman/makehuman-cc0.tar.xz
WORK ?= build/train
SCALE ?= 1

train: $(STAMPS)/train ## make the models again (SCALE= WORK= PLAIN= ONWARD=; 8 hours)
	@$(TRAIN) -m doorsill_train.publish.everything --data "$(MAKEHUMAN)" --work "$(WORK)" --scale $(SCALE) \
	  $(if $(CYCLES),--cycles $(CYCLES)) $(if $(ONWARD),--onward $(ONWARD)) $(if $(filter-out 0 no,$(PLAIN)),--plain)

# Those of the networks want TensorFlow, which `make setup` leaves out.
test-train: $(STAMPS)/train ## pass the training's tests, with TensorFlow (T=)
	@$(TRAIN) -m pytest $(or $(T),tests/train)

train-smoke: $(STAMPS)/train ## the training in miniature (minutes)
	@$(TRAIN) -m doorsill_train.publish.smoke --data "$(MAKEHUMAN)" --out "$(WORK)/smoke"

faults: $(STAMPS)/train ## measure the detector's faults for the street (10 minutes)
	@$(TRAIN) -m doorsill_train.film.doors --data "$(MAKEHUMAN)" --out "$(WORK)/doors" --held-out 36
	@$(TRAIN) -m doorsill_train.judge.faults --doors "$(WORK)/doors"

# Blender's module is under the GPL: an environment and a process of its own.
cycles: $(STAMPS)/cycles ## prove the path tracer of `make train CYCLES=` (1 GB)
	@$(TRAIN) -m doorsill_train.film.prove --blender $(VENV)-cycles/bin/python

$(STAMPS)/cycles: $(STAMPS)/train requirements/cycles.txt
	@SUDO="$(SUDO)" bash scripts/install-system libxrender1 libxfixes3 libxi6 libxxf86vm1 libxkbcommon0 libsm6 libgomp1
	@[ -d $(VENV)-cycles ] || python3 -m venv $(VENV)-cycles
	@echo "make: installing Blender's Cycles (about 400 MB)"
	@$(VENV)-cycles/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/cycles.txt
	@touch $@

$(STAMPS)/train: $(STAMPS)/system requirements/train.txt pyproject.toml
	@SUDO="$(SUDO)" bash scripts/install-system libegl1 libgl1-mesa-dri libglx-mesa0
	@[ -d $(VENV)-train ] || python3 -m venv $(VENV)-train
	@echo "make: installing TensorFlow and the renderer (about 300 MB)"
	@$(VENV)-train/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/train.txt
	@$(VENV)-train/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable . --editable provisioning
	@touch $@

try-wheel: setup ## use the plain wheel in an empty environment (PYTHON=)
	@PYTHON="$(PYTHON)" bash scripts/try-wheel

deb: setup ## build the Debian packages in dist/ (ARCH= RELEASE=)
	@cd firmware && ../$(PY) -m deb.build --release $(or $(RELEASE),trixie) --arch $(or $(ARCH),amd64)

# Programs that make file systems; none of them needs root.
IMAGE_TOOLS := genimage mtools dosfstools squashfs-tools cryptsetup-bin e2fsprogs kmod binutils zstd bmap-tools systemd

# OWN_LOCK=1: where the archive has dropped a locked version, take what it has now, and say
# so: for a machine that tests.
image: setup ## build the operating system (BOARD=virt|pi4|pi5; 5 minutes)
	@SUDO="$(SUDO)" bash scripts/install-system $(IMAGE_TOOLS)
	@cd firmware && ../$(PY) -m image.build --board $(or $(BOARD),virt) $(if $(filter-out 0 no,$(OWN_LOCK)),--own-lock)

image-lock: setup ## lock the packages of the image again (1 minute)
	@cd firmware && ../$(PY) -m image.renew

# Reads the disk, asks, erases, writes, verifies; as root where DEVICE is a card reader.
# ANY_DISK=1: what is no card, or has over 512 GB.
flash: setup ## write a card (DEVICE= SITE= VOUCHER= IMAGE= NETWORK=)
	@for each in "DEVICE=$(DEVICE)" "SITE=$(SITE)" "VOUCHER=$(VOUCHER)"; do \
	  [ "$${each#*=}" ] || { echo "make: $${each}? as: make flash DEVICE=/dev/sdb SITE=porto-1 VOUCHER=vouchers.csv" >&2; exit 2; }; done
	@$(BIN)/doorsill-fleet flash $(DEVICE) --site "$(SITE)" --voucher "$(VOUCHER)" \
	  --image "$(or $(IMAGE),build/image/pi5/doorsill-pi5.img)" \
	  $(if $(SERVER),--server "$(SERVER)") $(if $(NETWORK),--network "$(NETWORK)") $(if $(WIRING),--wiring "$(WIRING)") \
	  $(if $(filter-out 0 no,$(ANY_DISK)),--any-disk)

try-deb: deb ## install them in a fresh Debian, as root (RELEASE= T=)
	@SUDO="$(SUDO)" bash scripts/install-system mmdebstrap systemd-container iproute2 util-linux
	@$(SUDO) RELEASE=$(or $(RELEASE),trixie) bash scripts/try-deb $(T)

# Rules, simulation, drawings and tables of the interlock; TREE: of a real Pi, compiled.
hw: $(STAMPS)/board ## the interlock, into hw/build (FULL=1 KICAD=1 TREE=; 2 min.)
	@$(if $(filter-out 0 no,$(KICAD)),SUDO="$(SUDO)" bash scripts/install-kicad)
	@hw/doorsill-hw build --boards $(if $(filter-out 0 no,$(FULL)),500,60) \
	  $(addprefix --tree ,$(TREE)) $(if $(filter-out 0 no,$(KICAD)),--kicad)

# The image of `make image BOARD=virt`, built where a lock, a source or a byte changed.
hil: setup ## a virtual Pi in a shop, or one on the bench (BENCH= T=)
	@SUDO="$(SUDO)" bash scripts/install-system qemu-system-arm $(IMAGE_TOOLS)
	@$(if $(BENCH),,cd firmware && ../$(PY) -m image.build --board virt --if-changed --own-lock)
	@mkdir -p build/hil
	@$(if $(BENCH),BENCH="$(abspath $(BENCH))") $(PY) -m pytest -o junit_family=xunit1 --junitxml build/hil/junit.xml $(or $(T),tests/hil)

units: setup ## the units under a real systemd, as root (RELEASE= T=)
	@SUDO="$(SUDO)" bash scripts/install-system mmdebstrap systemd-container iproute2 util-linux
	@RELEASE=$(or $(RELEASE),trixie) bash scripts/run-units $(or $(T),tests/units)

ha: setup ## our packets in a real Home Assistant, as root (1 GB; T=)
	@SUDO="$(SUDO)" bash scripts/install-system mmdebstrap iproute2 util-linux mosquitto
	@bash scripts/run-ha $(or $(T),tests/ha)

lock: ## resolve the locked requirements again (needs uv)
	@lock() { uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header "$$@"; }; \
	  lock --extra pi --extra fleet --extra parquet --extra dev -o requirements/dev.txt && \
	  lock -c requirements/dev.txt -o requirements/device.txt && \
	  lock --extra fleet -c requirements/dev.txt -o requirements/fleet.txt && \
	  lock --extra train --extra fleet --extra dev -c requirements/dev.txt -o requirements/train.txt && \
	  lock --extra pi --extra fleet --extra parquet --extra bench -o requirements/bench.txt
	@echo "dtschema>=2025.8" | uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-emit-package rfc3987 --no-emit-package pylibfdt \
	  -c requirements/dev.txt -o requirements/board.txt

clean: ## remove what make made
	rm -rf $(VENV) $(VENV)-bench $(VENV)-train $(VENV)-board $(STAMPS) dist build
