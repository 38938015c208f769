/*
 * What nitroproxy changes in mbedTLS 3.6's default configuration.  deps.sh appends these lines to the
 * installed mbedtls_config.h, so the library and everybody who includes its headers see the same choices
 * without repeating a -D.
 *
 * Left as upstream has them because we need them: TLS 1.2 and 1.3, client and server, tickets, SNI, ALPN,
 * SSL_KEEP_PEER_CERTIFICATE (TLS 1.3 does not build without), PSA_KEY_STORE_DYNAMIC (a fixed store fails at the
 * 33rd handshake in flight), HAVE_TIME_DATE, FS_IO, AESNI_C, HAVE_ASM, X509_CREATE/CRT_WRITE/PK_WRITE (`demo`
 * mints a CA for each run).  Left off: USE_PSA_CRYPTO (one-shot AEAD through PSA costs 3-8x at 1 KiB) and
 * SSL_EARLY_DATA (a proxy must not make requests replayable).
 */

/* Certificates are parsed and names are resolved in libuv's thread pool. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* X25519 by the formally verified HACL* code that mbedTLS carries: 4 times as fast, and constant in time. */
#define MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED

/* There is no datagram transport here, and our streams are the network. */
#undef MBEDTLS_SSL_PROTO_DTLS
#undef MBEDTLS_SSL_DTLS_ANTI_REPLAY
#undef MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID
#undef MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT
#undef MBEDTLS_SSL_COOKIE_C
#undef MBEDTLS_NET_C
#undef MBEDTLS_TIMING_C

/* Renegotiation has only ever been a source of attacks; sessions are never written to memory we do not own. */
#undef MBEDTLS_SSL_RENEGOTIATION
#undef MBEDTLS_SSL_CONTEXT_SERIALIZATION

/* TLS 1.2 keeps forward-secret key exchanges with certificates only. */
#undef MBEDTLS_DHM_C
#undef MBEDTLS_DEBUG_C /* its hooks cost a call a record even when nobody listens */
#undef MBEDTLS_KEY_EXCHANGE_DHE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDHE_PSK_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_RSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_ECDSA_ENABLED
#undef MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED

/* Ciphers, hashes and curves that no peer we would talk to has only. */
#undef MBEDTLS_ECJPAKE_C
#undef MBEDTLS_DES_C
#undef MBEDTLS_ARIA_C
#undef MBEDTLS_CAMELLIA_C
#undef MBEDTLS_CCM_C
#undef MBEDTLS_RIPEMD160_C
#undef MBEDTLS_MD5_C
#undef MBEDTLS_LMS_C
#undef MBEDTLS_NIST_KW_C
#undef MBEDTLS_CMAC_C
#undef MBEDTLS_CIPHER_MODE_CFB
#undef MBEDTLS_CIPHER_MODE_OFB
#undef MBEDTLS_CIPHER_MODE_XTS
#undef MBEDTLS_ECP_DP_SECP192R1_ENABLED
#undef MBEDTLS_ECP_DP_SECP224R1_ENABLED
#undef MBEDTLS_ECP_DP_SECP192K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP224K1_ENABLED
#undef MBEDTLS_ECP_DP_SECP256K1_ENABLED
#undef MBEDTLS_ECP_DP_BP256R1_ENABLED
#undef MBEDTLS_ECP_DP_BP384R1_ENABLED
#undef MBEDTLS_ECP_DP_BP512R1_ENABLED
#undef MBEDTLS_ECP_DP_CURVE448_ENABLED

/* Formats and services nobody here calls; PSA keeps its keys in memory, never in files. */
#undef MBEDTLS_PKCS7_C
#undef MBEDTLS_PKCS12_C
#undef MBEDTLS_X509_CSR_WRITE_C
#undef MBEDTLS_X509_CSR_PARSE_C
#undef MBEDTLS_SELF_TEST
#undef MBEDTLS_VERSION_FEATURES
#undef MBEDTLS_PSA_ITS_FILE_C
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C
