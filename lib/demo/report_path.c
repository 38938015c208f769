/*
 * The way of a request as a picture, and what each hop on it could see. Two ways were gone in the run: plain
 * HTTP to the host, where TLS is the enclave's, and CONNECT, where it is the client's own.
 */
#include "demo/report_html.h"

enum link { LINK_CLEAR, LINK_SEALED };
enum reads { READS_END, READS_CLEAR, READS_SEALED }; /* END: one of the two who are talking */

struct node {
	const char *name, *role, *sees;
	enum reads reads;
	enum link next;	       /* how the bytes leave towards the next one */
	const char *next_text; /* NULL: the last node */
	bool trusted;	       /* it is the enclave */
	const char *keys;      /* what stands there when a TLS connection begins or ends here; or NULL */
};

#define SEALED "Name and port of the service, sizes and times."

static const struct node plain[] = {
	{"Your app", "on the instance", "What it asks, and what it is told.", READS_END, LINK_CLEAR, "HTTP",
	 false, NULL},
	{"Host", "on the instance", "Request and answer: it is spoken to in plain HTTP.", READS_CLEAR,
	 LINK_CLEAR, "frames over vsock", false, NULL},
	{"Enclave", "isolated", "Request and answer. It applies the policy and checks the certificate.",
	 READS_CLEAR, LINK_SEALED, "TLS over vsock", true, "TLS begins"},
	{"Tunnel", "on the instance", SEALED, READS_SEALED, LINK_SEALED, "the same TLS over TCP", false,
	 NULL},
	{"Service", "anywhere", "The request, coming from the instance's address.", READS_END, LINK_SEALED,
	 NULL, false, "TLS ends"},
};

static const struct node connect[] = {
	{"Your app", "on the instance",
	 "What it asks, and what it is told. It checks the certificate itself.", READS_END, LINK_SEALED,
	 "TLS inside CONNECT", false, "TLS begins"},
	{"Host", "on the instance", SEALED, READS_SEALED, LINK_SEALED, "TLS in frames", false, NULL},
	{"Enclave", "isolated", "Name and port, to which it applies the policy; sizes and times.",
	 READS_SEALED, LINK_SEALED, "TLS over vsock", true, NULL},
	{"Tunnel", "on the instance", SEALED, READS_SEALED, LINK_SEALED, "the same TLS over TCP", false,
	 NULL},
	{"Service", "anywhere", "The request, coming from the instance's address.", READS_END, LINK_SEALED,
	 NULL, false, "TLS ends"},
};

#define NODES 5

static void lock(FILE *out)
{
	fputs("<svg class=\"lock\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M4.5 7V5a3.5 3.5 0 0 "
	      "1 7 "
	      "0v2\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"/><rect x=\"3\" y=\"7\" "
	      "width=\"10\" "
	      "height=\"7\" rx=\"1.8\" fill=\"currentColor\"/></svg>",
	      out);
}

static void put_node(const struct node *n, const struct report_tls *tls, FILE *out)
{
	static const char *const pills[] = {"", "<p class=\"pill clear\">reads it</p>",
					    "<p class=\"pill sealed\">sealed</p>"};
	fprintf(out,
		"<li class=\"node%s\"><h4>%s</h4><p class=\"role\">%s</p>%s<p "
		"class=\"sees\"><span>sees</span> %s</p>",
		n->trusted ? " trusted" : "", n->name, n->role, pills[n->reads], n->sees);
	if (n->keys) {
		fputs("<p class=\"keys\">", out);
		lock(out);
		fprintf(out, "%s</p>", n->keys);
	}
	if (!n->next_text && tls->subject[0]) {
		fputs("<p class=\"subject\">", out);
		markup_text(out, tls->subject);
		fputs("</p>", out);
	}
	fputs("</li>\n", out);
	if (n->next_text)
		fprintf(out, "<li class=\"link %s\"><span>%s</span></li>\n",
			n->next == LINK_SEALED ? "tls" : "clear", n->next_text);
}

static void picture(const struct node *nodes, const struct report_tls *tls, const char *id, const char *title,
		    FILE *out)
{
	fprintf(out, "<div class=\"way\" id=\"way-%s\"><h3>%s</h3>\n<ol class=\"path\">\n", id, title);
	for (size_t i = 0; i < NODES; i++)
		put_node(&nodes[i], tls, out);
	fputs("</ol>\n", out);
	if (tls->protocol[0]) {
		fputs("<p class=\"tls-line\">", out);
		lock(out);
		fputs("<b>", out);
		markup_text(out, tls->protocol);
		fputs("</b> with <code>", out);
		markup_text(out, tls->cipher);
		fputs("</code>", out);
		if (tls->subject[0]) {
			fputs(", certificate of <code>", out);
			markup_text(out, tls->subject);
			fputs(tls->unverified ? "</code>, which nobody checked" : "</code>, checked", out);
		}
		fputs(".</p>\n", out);
	}
	fputs("</div>\n", out);
}

void html_path(const struct report *r, FILE *out)
{
	fputs("<section class=\"ways\" aria-labelledby=\"path\"><h2 id=\"path\">The path of a request</h2>\n"
	      "<p>Who can read it, hop by hop. ",
	      out);
	fputs(r->local ? "In this run unix sockets stood in for vsock, and the enclave was an ordinary "
			 "process.</p>\n"
		       : "</p>\n",
	      out);
	fputs("<div class=\"tabs\">\n"
	      "<input type=\"radio\" name=\"way\" id=\"tab-plain\" checked><label for=\"tab-plain\">Plain "
	      "HTTP to the "
	      "host</label>\n"
	      "<input type=\"radio\" name=\"way\" id=\"tab-connect\"><label "
	      "for=\"tab-connect\">CONNECT</label>\n",
	      out);
	picture(plain, &r->tls, "plain", "Plain HTTP to the host", out);
	picture(connect, &r->own_tls, "connect", "CONNECT", out);
	fputs("</div>\n<p class=\"note\">An app that runs inside the enclave and uses the enclave's own "
	      "listener has no "
	      "host in front of it: then nobody outside the enclave sees more than the tunnel does "
	      "here.</p>\n"
	      "</section>\n",
	      out);
}
