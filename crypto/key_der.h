/* Keys as DER, written without OpenSSL's encoders: these cost 50 us a key, more than to make a
 * P-256 key (20 us) and to sign its CSR (18 us) together. */
#ifndef CERTMILL_CRYPTO_KEY_DER_H
#define CERTMILL_CRYPTO_KEY_DER_H

#include "crypto/key.h"
#include "der.h"

/* Bytes that hold the SubjectPublicKeyInfo of any key certmill makes. */
#define KEY_PUBLIC_DER_MAX 1024
/* Bytes that hold the PKCS#8 of an ECDSA key. */
#define KEY_PRIVATE_DER_MAX 512

/* The DER of the curve's object identifier (content only); empty for RSA. */
struct span key_curve_oid(struct key_spec spec);

/* The coordinates of an ECDSA key's point, big-endian, each as wide as the field. */
#define KEY_POINT_MAX 66
struct key_point {
    unsigned char x[KEY_POINT_MAX];
    unsigned char y[KEY_POINT_MAX];
    size_t width;
};
size_t key_field_width(unsigned bits);
bool key_point_of(const EVP_PKEY *key, struct key_spec spec, struct key_point *ret_point,
                  struct error *error) MUST_USE;

/* An ECDSA key's private number, big-endian, as wide as the field; `bytes` must be on the secure
 * heap. False when the provider does not give it away. */
bool key_private_number(const EVP_PKEY *key, unsigned char *bytes, size_t width,
                        struct error *error) MUST_USE;

/* An RSA key's modulus or exponent ("n", "e"), big-endian without leading zeros. `bytes` has `size`
 * bytes. */
bool key_rsa_number(const EVP_PKEY *key, const char *name, unsigned char *bytes, size_t size,
                    size_t *ret_len, struct error *error) MUST_USE;

/* Writes the SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
bool key_put_public(struct der_writer *writer, const EVP_PKEY *key, struct key_spec spec,
                    struct error *error) MUST_USE;

/* Writes the PrivateKeyInfo (RFC 5208, RFC 5915) of an ECDSA key whose SubjectPublicKeyInfo is
 * `public_der`; the writer's buffer must be on the secure heap. False when the provider does not
 * give the private number away. */
bool key_put_private(struct der_writer *writer, const EVP_PKEY *key, struct key_spec spec,
                     struct span public_der, struct error *error) MUST_USE;

/* As key_to_pem and csr_make, for who has the SubjectPublicKeyInfo already: OpenSSL takes 5 us to
 * give a P-256 key's point out. */
bool key_to_pem_with(const EVP_PKEY *key, struct span public_der, struct secret *ret_pem,
                     struct error *error) MUST_USE;
bool csr_make_with(const struct crypto_context *context, EVP_PKEY *key, struct span public_der,
                   const char *const *names, size_t count, struct buf *der,
                   struct error *error) MUST_USE;

#endif
