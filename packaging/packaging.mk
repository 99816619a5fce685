# What administrators install. Packages come out in build/packages.
#
#   make install [DESTDIR=/ PREFIX=/usr]   program, units, manuals, completions, schema, examples
#   make deb, make rpm        packages
#   make package-lint         units, manuals, completions, scripts
#   make package-check [T=deb]   packages built twice, installed, upgraded, removed, and booted, in a clean Debian

PREFIX     ?= /usr/local
DESTDIR    ?=
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DOCDIR     ?= $(PREFIX)/share/doc/wsbridge
PACKAGES   := $(BUILD)/packages

# --- what is printed by the program -----------------------------------------------------------------------------------

MANUALS := $(OUT)/man/wsbridge.8 $(OUT)/man/wsbridge.yaml.5
SCHEMA  := $(OUT)/share/wsbridge.schema.json

$(OUT)/man/wsbridge.8: packaging/man/wsbridge.8
	@mkdir -p $(@D)
	@cp $< $@

$(OUT)/man/wsbridge.yaml.5: packaging/man/wsbridge.yaml.5.head packaging/man/wsbridge.yaml.5.tail $(OUT)/wsbridge
	@mkdir -p $(@D)
	@$(OUT)/wsbridge --print-mdoc > $@.mdoc
	@cat packaging/man/wsbridge.yaml.5.head $@.mdoc packaging/man/wsbridge.yaml.5.tail > $@
	@rm -f $@.mdoc

$(SCHEMA): $(OUT)/wsbridge
	@mkdir -p $(@D)
	@$(OUT)/wsbridge --print-schema > $@

.PHONY: man schema
man: $(MANUALS)
schema: $(SCHEMA)

# --- make install: by hand, and what both kinds of package are made of ------------------------------------------------

PUT  = install -D -p -m 0644
UNIT = install -d $(DESTDIR)$(UNITDIR) && sed 's,/usr/bin/,$(PREFIX)/bin/,; s,/etc/wsbridge/,$(SYSCONFDIR)/wsbridge/,' packaging/systemd/$(1) > $(DESTDIR)$(UNITDIR)/$(1) && \
       chmod 0644 $(DESTDIR)$(UNITDIR)/$(1)

.PHONY: install
install: all man schema
	install -D -m 0755 $(OUT)/wsbridge $(DESTDIR)$(PREFIX)/bin/wsbridge
	$(PUT) $(OUT)/man/wsbridge.8 $(DESTDIR)$(PREFIX)/share/man/man8/wsbridge.8
	$(PUT) $(OUT)/man/wsbridge.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/wsbridge.yaml.5
	$(PUT) $(SCHEMA) $(DESTDIR)$(PREFIX)/share/wsbridge/wsbridge.schema.json
	$(PUT) packaging/completions/wsbridge.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/wsbridge
	$(PUT) packaging/completions/_wsbridge $(DESTDIR)$(PREFIX)/share/zsh/$(ZSH_DIR)/_wsbridge
	$(PUT) packaging/completions/wsbridge.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/wsbridge.fish
	$(PUT) packaging/firewall/firewalld.xml $(DESTDIR)$(PREFIX)/lib/firewalld/services/wsbridge.xml
	$(call UNIT,wsbridge.service)
	$(call UNIT,wsbridge@.service)
	$(call UNIT,wsbridge.socket)
	$(PUT) packaging/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/wsbridge.conf
	$(PUT) README.md $(DESTDIR)$(DOCDIR)/README.md
	$(PUT) config/reference.yaml $(DESTDIR)$(DOCDIR)/reference.yaml
	for f in config/examples/*.yaml; do $(PUT) $$f $(DESTDIR)$(DOCDIR)/examples/$${f##*/} || exit 1; done
	[ -e $(DESTDIR)$(SYSCONFDIR)/wsbridge/wsbridge.yaml ] || \
	  install -D -p -m 0640 config/wsbridge.yaml $(DESTDIR)$(SYSCONFDIR)/wsbridge/wsbridge.yaml
	@[ -n "$(DESTDIR)" ] || echo "For the service: systemd-sysusers && chgrp wsbridge $(SYSCONFDIR)/wsbridge/wsbridge.yaml &&" \
	  "systemctl daemon-reload && systemctl enable --now wsbridge"
ZSH_DIR ?= site-functions

# --- packages ---------------------------------------------------------------------------------------------------------

.PHONY: package-deps package-test-deps deb rpm
package-deps:
	@packaging/deps.sh package

package-test-deps:
	@packaging/deps.sh package-test

deb rpm: package-deps
	@packaging/build.sh $@ $(abspath $(PACKAGES))

# --- checks -----------------------------------------------------------------------------------------------------------

.PHONY: package-lint package-check
package-lint: all man schema
	@packaging/lint.sh $(OUT)

package-check: package-test-deps
	@$(MAKE) --no-print-directory package-lint deb rpm
	@PACKAGES=$(abspath $(PACKAGES)) PYTHONDONTWRITEBYTECODE=1 $(PYTEST) $(if $(T),tests/packages/test_$(T).py,tests/packages) $(PYTEST_ARGS)
