# What administrators install. Packages come out in build/packages.
#
#   make install [DESTDIR=/ PREFIX=/usr]   program, units, manuals, completions, schema, examples
#   make uninstall            what make install has put there, with the same DESTDIR and PREFIX; /etc/wsbridge stays
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

# The sources name the places that packages use. PUT_HERE names those of this installation instead.
PUT      = install -D -p -m 0644
PUT_HERE = install -d $(dir $(DESTDIR)$(2)) && sed '$(HERE)' $(1) > $(DESTDIR)$(2) && chmod $(or $(3),0644) $(DESTDIR)$(2)
HERE     = s,/usr/bin/wsbridge,$(PREFIX)/bin/wsbridge,; s,/usr/share/wsbridge/,$(PREFIX)/share/wsbridge/,; \
           s,/usr/share/doc/wsbridge,$(DOCDIR),; s,/etc/wsbridge/,$(SYSCONFDIR)/wsbridge/,g
ZSH_DIR ?= site-functions

INSTALLED_UNITS = wsbridge.service wsbridge@.service wsbridge.socket
INSTALLED_CONF  = $(SYSCONFDIR)/wsbridge/wsbridge.yaml
INSTALLED_DIRS  = $(DOCDIR)/examples $(DOCDIR) $(PREFIX)/share/wsbridge
INSTALLED       = $(PREFIX)/bin/wsbridge $(PREFIX)/share/man/man8/wsbridge.8 $(PREFIX)/share/man/man5/wsbridge.yaml.5 \
                  $(PREFIX)/share/wsbridge/wsbridge.schema.json $(PREFIX)/share/bash-completion/completions/wsbridge \
                  $(PREFIX)/share/zsh/$(ZSH_DIR)/_wsbridge $(PREFIX)/share/fish/vendor_completions.d/wsbridge.fish \
                  $(PREFIX)/lib/firewalld/services/wsbridge.xml $(PREFIX)/lib/sysusers.d/wsbridge.conf \
                  $(addprefix $(UNITDIR)/,$(INSTALLED_UNITS)) $(DOCDIR)/README.md $(DOCDIR)/reference.yaml \
                  $(patsubst config/%,$(DOCDIR)/%,$(wildcard config/examples/*.yaml))

.PHONY: install uninstall
install: all man schema
	install -D -m 0755 $(OUT)/wsbridge $(DESTDIR)$(PREFIX)/bin/wsbridge
	$(call PUT_HERE,$(OUT)/man/wsbridge.8,$(PREFIX)/share/man/man8/wsbridge.8)
	$(call PUT_HERE,$(OUT)/man/wsbridge.yaml.5,$(PREFIX)/share/man/man5/wsbridge.yaml.5)
	$(PUT) $(SCHEMA) $(DESTDIR)$(PREFIX)/share/wsbridge/wsbridge.schema.json
	$(PUT) packaging/completions/wsbridge.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/wsbridge
	$(PUT) packaging/completions/_wsbridge $(DESTDIR)$(PREFIX)/share/zsh/$(ZSH_DIR)/_wsbridge
	$(PUT) packaging/completions/wsbridge.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/wsbridge.fish
	$(PUT) packaging/firewall/firewalld.xml $(DESTDIR)$(PREFIX)/lib/firewalld/services/wsbridge.xml
	$(call PUT_HERE,packaging/systemd/wsbridge.service,$(UNITDIR)/wsbridge.service)
	$(call PUT_HERE,packaging/systemd/wsbridge@.service,$(UNITDIR)/wsbridge@.service)
	$(call PUT_HERE,packaging/systemd/wsbridge.socket,$(UNITDIR)/wsbridge.socket)
	$(PUT) packaging/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/wsbridge.conf
	$(PUT) README.md $(DESTDIR)$(DOCDIR)/README.md
	$(PUT) config/reference.yaml $(DESTDIR)$(DOCDIR)/reference.yaml
	for f in config/examples/*.yaml; do $(PUT) $$f $(DESTDIR)$(DOCDIR)/examples/$${f##*/} || exit 1; done
	[ -e $(DESTDIR)$(INSTALLED_CONF) ] || { $(call PUT_HERE,config/wsbridge.yaml,$(INSTALLED_CONF),0640); }
	@[ -n "$(DESTDIR)" ] || printf '%s\n' '' 'Installed. For the service, as root:' \
	  '  systemd-sysusers $(PREFIX)/lib/sysusers.d/wsbridge.conf    # the user and the group wsbridge' \
	  '  chgrp wsbridge $(INSTALLED_CONF)    # which may read it' \
	  '  systemctl daemon-reload' \
	  '  systemctl enable --now wsbridge'

uninstall:
	@[ -n "$(DESTDIR)" ] || [ -z "$$(find /etc/systemd/system -lname '$(UNITDIR)/wsbridge*' 2> /dev/null)" ] || \
	  { echo 'First: systemctl disable --now wsbridge.service wsbridge.socket, and the instances of wsbridge@.service'; exit 1; }
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	for d in $(addprefix $(DESTDIR),$(INSTALLED_DIRS)); do [ ! -d $$d ] || rmdir --ignore-fail-on-non-empty $$d || exit 1; done
	@[ -n "$(DESTDIR)" ] || echo 'Left as they are: $(SYSCONFDIR)/wsbridge and the user wsbridge.'

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
	@rm -rf $(OUT)/root
	@$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(OUT))/root
	@$(MAKE) --no-print-directory -s uninstall DESTDIR=$(abspath $(OUT))/root
	@[ "$$(cd $(OUT)/root && find . -type f)" = .$(INSTALLED_CONF) ] || { find $(OUT)/root -type f; echo "package-lint: uninstall leaves these"; exit 1; }

package-check: package-test-deps
	@$(MAKE) --no-print-directory package-lint deb rpm
	@PACKAGES=$(abspath $(PACKAGES)) PYTHONDONTWRITEBYTECODE=1 $(PYTEST) $(if $(T),tests/packages/test_$(T).py,tests/packages) $(PYTEST_ARGS)
