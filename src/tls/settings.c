/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the wsbridge authors */
/*
 * The option tables of TLS. Only what can be seen without opening a file is checked here; the files are the context's.
 */
#include "tls/settings.h"

static const char *const min_versions[] = {"1.2", "1.3", NULL};
static const char *const client_auths[] = {"none", "optional", "required", NULL};
static const char *const ktls_choices[] = {"auto", "off", NULL};

#define AT(member) offsetof(struct tls_certificate_settings, member)

static void check_certificate(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    ((struct tls_certificate_settings *)obj)->node = node;
}

static const struct cfg_field certificate_fields[] = {
    {.key = "cert",
     .type = CFG_PATH,
     .offset = AT(cert),
     .flags = CFG_REQUIRED,
     .doc = "PEM file with the certificate and, behind it, the chain up to but without the root.",
     .example = "/etc/wsbridge/tls/fullchain.pem"},
    {.key = "key",
     .type = CFG_PATH,
     .offset = AT(key),
     .doc = "PEM file with the private key. Without it the key is looked for in the cert file.",
     .example = "/etc/wsbridge/tls/privkey.pem"},
    {.key = "passphrase_file",
     .type = CFG_PATH,
     .offset = AT(passphrase_file),
     .doc = "File whose first line opens an encrypted key, for example a service credential of systemd "
            "(/run/credentials/wsbridge.service/NAME).",
     .example = "/run/credentials/wsbridge.service/tls-passphrase"},
    {.key = "ocsp",
     .type = CFG_PATH,
     .offset = AT(ocsp),
     .doc = "File with a DER-encoded OCSP response that is stapled to the handshake while it is valid. Something else "
            "has to keep it fresh; it is reread like the certificate.",
     .example = "/etc/wsbridge/tls/ocsp.der"},
    CFG_TABLE_END,
};

static const struct cfg_table certificate_table = {
    .name = "tls.NAME.certificates[]",
    .doc = "Certificates of a listener. The client's server name chooses among the names inside them, an exact name "
           "before a wildcard; RSA and ECDSA certificates of the same name stand side by side. The first one serves "
           "clients without a server name.",
    .size = sizeof(struct tls_certificate_settings),
    .fields = certificate_fields,
    .set_offset = -1,
    .check = check_certificate,
};

#undef AT
#define AT(member) offsetof(struct tls_settings, member)

static const struct cfg_field tls_fields[] = {
    {.key = "cert",
     .type = CFG_PATH,
     .offset = AT(one.cert),
     .doc = "Short for a list of one certificate: the PEM file with certificate and chain.",
     .example = "/etc/wsbridge/tls/fullchain.pem"},
    {.key = "key",
     .type = CFG_PATH,
     .offset = AT(one.key),
     .doc = "The private key that goes with cert. Without it the key is looked for in the cert file.",
     .example = "/etc/wsbridge/tls/privkey.pem"},
    {.key = "passphrase_file",
     .type = CFG_PATH,
     .offset = AT(one.passphrase_file),
     .doc = "File whose first line opens the encrypted key that goes with cert.",
     .example = "/run/credentials/wsbridge.service/tls-passphrase"},
    {.key = "ocsp",
     .type = CFG_PATH,
     .offset = AT(one.ocsp),
     .doc = "The OCSP response (DER) that goes with cert.",
     .example = "/etc/wsbridge/tls/ocsp.der"},
    {.key = "certificates",
     .type = CFG_LIST,
     .offset = AT(certificates),
     .doc = "Several certificates, chosen by server name. Watched and reread without a restart; a new one that does "
            "not hold together leaves the old one serving.",
     .table = &certificate_table},
    {.key = "min_version",
     .type = CFG_ENUM,
     .offset = AT(min_version),
     .fallback = "1.2",
     .doc = "The oldest version of TLS that is spoken.",
     .choices = min_versions},
    {.key = "ciphers",
     .type = CFG_STRING,
     .offset = AT(ciphers),
     .fallback = "system",
     .doc =
         "Ciphers in OpenSSL's notation, joined by colons; names that begin with TLS_ are TLS 1.3 suites. \"system\" "
         "follows the distribution's policy and, where it has none, allows what has forward secrecy and "
         "authenticated encryption."},
    {.key = "client_ca",
     .type = CFG_PATH,
     .offset = AT(client_ca),
     .doc = "PEM file with the authorities whose client certificates are accepted.",
     .example = "/etc/wsbridge/tls/clients.pem"},
    {.key = "client_crl",
     .type = CFG_PATH,
     .offset = AT(client_crl),
     .doc = "PEM file with revocation lists, one for each authority in the chain of a client certificate.",
     .example = "/etc/wsbridge/tls/clients.crl"},
    {.key = "client_auth",
     .type = CFG_ENUM,
     .offset = AT(client_auth),
     .fallback = "none",
     .doc = "Whether clients are asked for a certificate (optional) or need one (required). A certificate that is "
            "shown must be good in both cases.",
     .choices = client_auths},
    {.key = "strict_sni",
     .type = CFG_BOOL,
     .offset = AT(strict_sni),
     .fallback = "off",
     .doc = "Refuses clients that name no server, or one that no certificate has, instead of showing them the first "
            "certificate."},
    {.key = "detect",
     .type = CFG_BOOL,
     .offset = AT(detect),
     .fallback = "off",
     .doc = "Serves TLS and clear connections on the same port, told apart by their first byte."},
    {.key = "redirect",
     .type = CFG_BOOL,
     .offset = AT(redirect),
     .fallback = "off",
     .doc = "Answers clear HTTP on this port with a redirect to https, and refuses clear WebSockets."},
    {.key = "tickets",
     .type = CFG_BOOL,
     .offset = AT(tickets),
     .fallback = "on",
     .doc = "Lets clients resume sessions with tickets, which makes their next handshake cheap. The keys live in "
            "memory alone and are changed every four hours."},
    {.key = "ktls",
     .type = CFG_ENUM,
     .offset = AT(ktls),
     .fallback = "auto",
     .doc = "Leaves encryption to the kernel where kernel, OpenSSL and cipher allow it.",
     .choices = ktls_choices},
    CFG_TABLE_END,
};

/* Bits of `given`: rows of tls_fields. */
enum { GIVEN_CERT = 1, GIVEN_KEY = 2, GIVEN_PASSPHRASE = 4, GIVEN_OCSP = 8, GIVEN_CERTIFICATES = 16 };

static void check_tls(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct tls_settings *s = obj;

    s->node = node;
    s->one.node = node;
    if ((s->given & GIVEN_CERTIFICATES) && (s->given & (GIVEN_CERT | GIVEN_KEY | GIVEN_PASSPHRASE | GIVEN_OCSP)))
        cfg_error(load, node, "move cert and key into the list", "both a certificate and a list of certificates");
    else if (!(s->given & (GIVEN_CERTIFICATES | GIVEN_CERT)))
        cfg_error(load, node, "give cert and key, or a list of certificates", "TLS needs a certificate");
    else if ((s->given & GIVEN_CERTIFICATES) && s->certificates.n == 0)
        cfg_error(load, cfg_node_get(node, "certificates"), NULL, "TLS needs at least one certificate");
    if (s->client_auth != TLS_CLIENT_NONE && !s->client_ca)
        cfg_error(load, node, "name the authorities with client_ca", "client_auth needs client_ca");
    if (s->client_auth == TLS_CLIENT_NONE && s->client_ca)
        cfg_error(load, cfg_node_get(node, "client_ca"), "add client_auth: required, or optional",
                  "client_ca has no effect while client_auth is none");
    if (s->client_crl && !s->client_ca)
        cfg_error(load, cfg_node_get(node, "client_crl"), NULL, "client_crl needs client_ca");
    if (s->detect && s->redirect)
        cfg_error(load, node, "keep one of them", "detect serves clear connections and redirect refuses them");
}

const struct cfg_table tls_table = {
    .name = "tls.NAME",
    .doc = "TLS of listeners: certificates and what is asked of clients.",
    .size = sizeof(struct tls_settings),
    .fields = tls_fields,
    .set_offset = AT(given),
    .check = check_tls,
};

size_t tls_settings_count(const struct tls_settings *s)
{
    return s->one.cert ? 1 : s->certificates.n;
}

const struct tls_certificate_settings *tls_settings_certificate(const struct tls_settings *s, size_t i)
{
    return s->one.cert ? &s->one : (const struct tls_certificate_settings *)s->certificates.v + i;
}

#undef AT
#define AT(member) offsetof(struct tls_backend_settings, member)

static const struct cfg_field backend_fields[] = {
    {.key = "enabled",
     .type = CFG_BOOL,
     .offset = AT(enabled),
     .fallback = "off",
     .doc = "Whether the backend is spoken to with TLS. Giving any of the other keys switches it on; `tls: on` is "
            "enough where the defaults are right."},
    {.key = "verify",
     .type = CFG_BOOL,
     .offset = AT(verify),
     .fallback = "on",
     .doc = "Checks the backend's certificate and its name. Switching it off protects against listening, not against "
            "somebody in between."},
    {.key = "ca",
     .type = CFG_PATH,
     .offset = AT(ca),
     .doc = "PEM file with the authorities that may sign the backend's certificate. Without it the system's count.",
     .example = "/etc/wsbridge/tls/backend-ca.pem"},
    {.key = "server_name",
     .type = CFG_STRING,
     .offset = AT(server_name),
     .doc = "The name that is asked for (SNI) and that the certificate must have. Without it the host of the service.",
     .example = "db.internal.example.org"},
    {.key = "cert",
     .type = CFG_PATH,
     .offset = AT(own.cert),
     .doc = "PEM file with the certificate that we show to the backend.",
     .example = "/etc/wsbridge/tls/client.pem"},
    {.key = "key",
     .type = CFG_PATH,
     .offset = AT(own.key),
     .doc = "PEM file with its private key. Without it the key is looked for in the cert file.",
     .example = "/etc/wsbridge/tls/client.key"},
    {.key = "passphrase_file",
     .type = CFG_PATH,
     .offset = AT(own.passphrase_file),
     .doc = "File whose first line opens an encrypted key.",
     .example = "/run/credentials/wsbridge.service/backend-passphrase"},
    {.key = "min_version",
     .type = CFG_ENUM,
     .offset = AT(min_version),
     .fallback = "1.2",
     .doc = "The oldest version of TLS that is spoken with the backend.",
     .choices = min_versions},
    {.key = "ciphers",
     .type = CFG_STRING,
     .offset = AT(ciphers),
     .fallback = "system",
     .doc = "Ciphers in OpenSSL's notation; \"system\" as for listeners."},
    {.key = "ktls",
     .type = CFG_ENUM,
     .offset = AT(ktls),
     .fallback = "auto",
     .doc = "Leaves encryption to the kernel where kernel, OpenSSL and cipher allow it.",
     .choices = ktls_choices},
    CFG_TABLE_END,
};

static int backend_shorthand(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    static const char *const on[] = {"on", "true", "yes"};
    static const char *const off[] = {"off", "false", "no"};
    struct tls_backend_settings *s = obj;
    const char *text = cfg_node_text(node);

    for (size_t i = 0; text && i < ARRAY_LEN(on); i++) {
        if (strcmp(text, on[i]) != 0 && strcmp(text, off[i]) != 0)
            continue;
        s->enabled = strcmp(text, on[i]) == 0;
        s->given = 1;
        return 0;
    }
    cfg_error(load, node, "tls: on, or a map like {ca: FILE, server_name: NAME}",
              "TLS to a backend is on, off or a map");
    return -1;
}

static void check_backend(struct cfg_load *load, const struct cfg_node *node, void *obj)
{
    struct tls_backend_settings *s = obj;

    s->node = node;
    s->own.node = node;
    if (!(s->given & 1))
        s->enabled = true; /* a map means yes */
    if (!s->own.cert && (s->own.key || s->own.passphrase_file))
        cfg_error(load, node, NULL, "a key for the backend needs its cert");
    if (!s->verify && s->ca)
        cfg_error(load, cfg_node_get(node, "ca"), NULL, "ca has no effect while verify is off");
}

const struct cfg_table tls_backend_table = {
    .name = "services.NAME.tls",
    .doc = "TLS to the backend: `on`, `off`, or a map.",
    .size = sizeof(struct tls_backend_settings),
    .fields = backend_fields,
    .set_offset = AT(given),
    .check = check_backend,
    .shorthand = backend_shorthand,
};
