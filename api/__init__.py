"""HTTP only: requests in, rows and served artefacts out. Computes nothing but predictions."""
