/* A signer of images and a key that is not hers; they sign nothing but what test_eif.c makes. */
#ifndef EIF_SIGNER_PEM_H
#define EIF_SIGNER_PEM_H

static const char certificate[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIBwzCCAUigAwIBAgIUTyx5sDA+86rLwFACVbp4L50YNycwCgYIKoZIzj0EAwMw\n"
				  "FzEVMBMGA1UEAwwMaW1hZ2Ugc2lnbmVyMCAXDTI2MTEyMjE0MjU0OVoYDzIxMjYx\n"
				  "MDI5MTQyNTQ5WjAXMRUwEwYDVQQDDAxpbWFnZSBzaWduZXIwdjAQBgcqhkjOPQIB\n"
				  "BgUrgQQAIgNiAATbxNw9xCHoY3v/Q69YlKXSM7S1xXTAMEphtzY9CqIeJpZYIdbK\n"
				  "nTp2CC5Bq303VWbb2r+ZkmETZ4zre1xOO/ttfIlQA60jBMSzL6k2LZiqqm76WIxC\n"
				  "fdJOnm+mljbe+AujUzBRMB0GA1UdDgQWBBQ7C413quv1h89aUpg4zNA/Gd1sDjAf\n"
				  "BgNVHSMEGDAWgBQ7C413quv1h89aUpg4zNA/Gd1sDjAPBgNVHRMBAf8EBTADAQH/\n"
				  "MAoGCCqGSM49BAMDA2kAMGYCMQC5okhEz49IaaWeqYR8TiVAv3HH6rHT7eiUZxB4\n"
				  "C/w7Rr+G9TbwC1U9HzFeI2DC1qsCMQDA2GcZ1Nq5gyrcPcTNvr961B6dRmTO/jUb\n"
				  "IC/tvFVdJRGqYXhTEyDQkk+CbRX0EbM=\n"
				  "-----END CERTIFICATE-----\n";
static const char certificate_sha384[] = "3895bb0986e53e73caad0515cf77bc6d58d70bfa0104eb2e"
					 "09a2c55d4d9d1541aea48bc5714a5886a820ef2503efbb7d";
static const char private_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
				  "MIGkAgEBBDB4rxb2ByFi2CSVn4sCiYcBu+DyjkZb3cPYCztohU8WJZCL+a+K1KqB\n"
				  "DAp7rxfy5t2gBwYFK4EEACKhZANiAATbxNw9xCHoY3v/Q69YlKXSM7S1xXTAMEph\n"
				  "tzY9CqIeJpZYIdbKnTp2CC5Bq303VWbb2r+ZkmETZ4zre1xOO/ttfIlQA60jBMSz\n"
				  "L6k2LZiqqm76WIxCfdJOnm+mljbe+As=\n"
				  "-----END EC PRIVATE KEY-----\n";
static const char other_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
				"MIGkAgEBBDB14EdqnlMMWJ5HUq8TCKbTzobjz4Cwt7dOmkUycGNP2OU7wyweIUsF\n"
				"ET9aVOCjAI2gBwYFK4EEACKhZANiAATfJtxuB81wfIBKHhaGH562rXXdIIVBX7wI\n"
				"1zDEiS5N8sY9827iOJPrdNUfiqnknrXLD3lIlOZnvdAUwTDTqkjW6q0hTy3xwekG\n"
				"PyqxnESQ1KAj7ZnHrngEKM4l7junyRw=\n"
				"-----END EC PRIVATE KEY-----\n";

#endif
