/*
 *	u1 = hash / s, u2 = r / s (mod n)
 *	R  = u1 * G + u2 * Q
 *	the signature is good if x(R) mod n is r
 *
 * Points are in Jacobian coordinates, (X, Y, Z) for (X / Z^2, Y / Z^3) and Z = 0 for the
 * point at infinity: no division until the end, and there x(R) = r is asked as X = r * Z^2.
 * Both multiplications share their doublings (Strauss): from the highest digit down,
 *
 *	R = 2R,  + digit1 * G,  + digit2 * Q
 *
 * where a digit is odd or 0 (p256_order.h), so that odd multiples of G and Q in two tables
 * are all that is added. Formulas: dbl-2001-b and add-1998-cmo-2 of the Explicit-Formulas
 * Database (hyperelliptic.org/EFD), the curve being y^2 = x^3 - 3x + b.
 */
#include "tls/p256_verify.h"

#include <pthread.h>

#include "tls/p256_order.h"

/* Widths of the digits. G's table is filled once and may be larger. */
#define G_WIDTH	  8
#define Q_WIDTH	  5
#define G_ENTRIES (1 << (G_WIDTH - 2))
#define Q_ENTRIES (1 << (Q_WIDTH - 2))

struct point {
	struct p256_int x, y, z;
};

/* What is added again and again, with powers of z beside it. Never the point at infinity. */
struct entry {
	struct point p;
	struct p256_int z2, z3;
};

static const struct p256_int prime = P256_PRIME;
static const struct p256_int curve_b = {{UINT64_C(0x3bce3c3e27d2604b), UINT64_C(0x651d06b0cc53b0f6),
					 UINT64_C(0xb3ebbd55769886bc), UINT64_C(0x5ac635d8aa3a93e7)}};
static const struct p256_int base_x = {{UINT64_C(0xf4a13945d898c296), UINT64_C(0x77037d812deb33a0),
					UINT64_C(0xf8bce6e563a440f2), UINT64_C(0x6b17d1f2e12c4247)}};
static const struct p256_int base_y = {{UINT64_C(0xcbb6406837bf51f5), UINT64_C(0x2bce33576b315ece),
					UINT64_C(0x8ee7eb4a7c0f9e16), UINT64_C(0x4fe342e2fe1a7f9b)}};

static struct entry base_table[G_ENTRIES]; /* G, 3G, 5G, ..; never changes once it is there */
static pthread_once_t base_once = PTHREAD_ONCE_INIT;

/* Calls, not copies, of the long ones: the loop then fits the instruction cache. */
static __attribute__((noinline)) struct p256_int mul(const struct p256_int *a, const struct p256_int *b)
{
	return p256_mul(a, b);
}

static __attribute__((noinline)) struct p256_int sqr(const struct p256_int *a)
{
	return p256_sqr(a);
}

static struct p256_int add(const struct p256_int *a, const struct p256_int *b)
{
	return p256_add(a, b);
}

static struct p256_int sub(const struct p256_int *a, const struct p256_int *b)
{
	return p256_sub(a, b);
}

static struct p256_int twice(const struct p256_int *a)
{
	return p256_add(a, a);
}

/* The point at infinity stays what it is; no point of P-256 has y = 0. */
static void point_double(struct point *r)
{
	const struct p256_int delta = sqr(&r->z), gamma = sqr(&r->y), beta = mul(&r->x, &gamma);
	struct p256_int t, u, alpha, beta4;

	/* alpha = 3 (x - delta) (x + delta) */
	t = sub(&r->x, &delta);
	u = add(&r->x, &delta);
	t = mul(&t, &u);
	u = twice(&t);
	alpha = add(&t, &u);

	/* z = (y + z)^2 - gamma - delta, which is 2yz */
	t = add(&r->y, &r->z);
	t = sqr(&t);
	t = sub(&t, &gamma);
	r->z = sub(&t, &delta);

	/* x = alpha^2 - 8 beta */
	t = twice(&beta);
	beta4 = twice(&t);
	u = twice(&beta4);
	t = sqr(&alpha);
	r->x = sub(&t, &u);

	/* y = alpha (4 beta - x) - 8 gamma^2 */
	t = sub(&beta4, &r->x);
	t = mul(&alpha, &t);
	u = sqr(&gamma);
	u = twice(&u);
	u = twice(&u);
	u = twice(&u);
	r->y = sub(&t, &u);
}

/* r += e, or r -= e */
static void point_add(struct point *r, const struct entry *e, bool minus)
{
	const struct p256_int y2 = minus ? p256_neg(&e->p.y) : e->p.y;
	if (p256_int_is_zero(&r->z)) {
		*r = (struct point){e->p.x, y2, e->p.z};
		return;
	}
	const struct p256_int z1z1 = sqr(&r->z), z1z1z1 = mul(&z1z1, &r->z);
	const struct p256_int u1 = mul(&r->x, &e->z2), u2 = mul(&e->p.x, &z1z1);
	const struct p256_int s1 = mul(&r->y, &e->z3), s2 = mul(&y2, &z1z1z1);
	const struct p256_int h = sub(&u2, &u1), d = sub(&s2, &s1);
	if (p256_int_is_zero(&h)) { /* the same x: the same point, or its opposite */
		if (p256_int_is_zero(&d))
			point_double(r);
		else
			r->z = (struct p256_int){{0}};
		return;
	}
	const struct p256_int hh = sqr(&h), hhh = mul(&h, &hh), v = mul(&u1, &hh);
	struct p256_int t, u;

	/* x = d^2 - h^3 - 2v */
	t = sqr(&d);
	t = sub(&t, &hhh);
	u = twice(&v);
	r->x = sub(&t, &u);

	/* y = d (v - x) - s1 h^3 */
	t = sub(&v, &r->x);
	t = mul(&d, &t);
	u = mul(&s1, &hhh);
	r->y = sub(&t, &u);

	/* z = z1 z2 h */
	t = mul(&r->z, &e->p.z);
	r->z = mul(&t, &h);
}

static struct entry make_entry(const struct point *p)
{
	struct entry e = {.p = *p, .z2 = sqr(&p->z)};
	e.z3 = mul(&e.z2, &p->z);
	return e;
}

/* p, 3p, 5p, .. */
static void fill(struct entry *table, int count, const struct point *p)
{
	struct point next = *p, step = *p;
	point_double(&step);
	const struct entry two = make_entry(&step);
	table[0] = make_entry(p);
	for (int i = 1; i < count; i++) {
		point_add(&next, &two, false);
		table[i] = make_entry(&next);
	}
}

static struct point affine(const struct p256_int *x, const struct p256_int *y)
{
	static const struct p256_int one = {{1}};
	return (struct point){p256_to_field(x), p256_to_field(y), p256_to_field(&one)};
}

static void fill_base(void)
{
	const struct point g = affine(&base_x, &base_y);
	fill(base_table, G_ENTRIES, &g);
}

/* y^2 = x^3 - 3x + b */
static bool on_curve(const struct point *p)
{
	const struct p256_int b = p256_to_field(&curve_b), y2 = sqr(&p->y);
	struct p256_int t = sqr(&p->x), x3 = twice(&p->x);
	x3 = add(&x3, &p->x);
	t = mul(&t, &p->x);
	t = sub(&t, &x3);
	t = add(&t, &b);
	return p256_int_equal(&y2, &t);
}

static void add_digit(struct point *r, const struct entry *table, int digit)
{
	if (digit)
		point_add(r, &table[(digit < 0 ? -digit : digit) / 2], digit < 0);
}

/* u1 * G + u2 * q */
static struct point multiply(const struct p256_int *u1, const struct p256_int *u2, const struct point *q)
{
	int8_t digits1[P256_DIGITS + 1], digits2[P256_DIGITS + 1];
	struct entry q_table[Q_ENTRIES];
	struct point r = {{{0}}, {{0}}, {{0}}};

	(void)pthread_once(&base_once, fill_base);
	fill(q_table, Q_ENTRIES, q);
	int n1 = p256_order_recode(digits1, u1, G_WIDTH), n2 = p256_order_recode(digits2, u2, Q_WIDTH);
	for (int i = (n1 > n2 ? n1 : n2) - 1; i >= 0; i--) {
		point_double(&r);
		add_digit(&r, base_table, digits1[i]);
		add_digit(&r, q_table, digits2[i]);
	}
	return r;
}

/* x(p) mod n = r: x is r, or r + n where that is still below p. */
static bool x_is(const struct point *p, const struct p256_int *r)
{
	const struct p256_int z2 = sqr(&p->z);
	struct p256_int more, x = p256_to_field(r);
	x = mul(&x, &z2);
	if (p256_int_equal(&x, &p->x))
		return true;
	if (p256_int_add(&more, r, &p256_order) || !p256_int_less(&more, &prime))
		return false;
	x = p256_to_field(&more);
	x = mul(&x, &z2);
	return p256_int_equal(&x, &p->x);
}

static struct p256_int hash_number(const uint8_t *hash, size_t size)
{
	uint8_t b[32] = {0};
	size = size < sizeof b ? size : sizeof b;
	for (size_t i = 0; i < size; i++)
		b[sizeof b - size + i] = hash[i];
	return p256_int_read(b);
}

static bool in_range(const struct p256_int *a)
{
	return !p256_int_is_zero(a) && p256_int_less(a, &p256_order);
}

bool p256_verify(const uint8_t x_bytes[32], const uint8_t y_bytes[32], const uint8_t *hash, size_t hash_size,
		 const uint8_t r_bytes[32], const uint8_t s_bytes[32])
{
	const struct p256_int x = p256_int_read(x_bytes), y = p256_int_read(y_bytes);
	const struct p256_int r = p256_int_read(r_bytes), s = p256_int_read(s_bytes);
	const struct p256_int e = hash_number(hash, hash_size);
	if (!in_range(&r) || !in_range(&s) || !p256_int_less(&x, &prime) || !p256_int_less(&y, &prime))
		return false;
	const struct point q = affine(&x, &y);
	if (!on_curve(&q))
		return false;
	struct p256_int u1, u2;
	p256_order_divide(&u1, &u2, &e, &r, &s);
	const struct point sum = multiply(&u1, &u2, &q);
	return !p256_int_is_zero(&sum.z) && x_is(&sum, &r);
}
