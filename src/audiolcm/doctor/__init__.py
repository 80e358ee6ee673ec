"""``audiolcm doctor``: what is here, what is wrong with it, and what to type. It works where torch does not."""
