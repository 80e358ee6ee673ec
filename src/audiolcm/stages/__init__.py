"""The four stages and what each is made from, found or trained: autoencoder, vocoder, teacher, student."""
