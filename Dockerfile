# One image for api, worker and migrate; the command chooses. Runs as an ordinary user on a read-only root.
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim AS build
# Point this at PyTorch's CPU wheel index for an image without CUDA libraries (about 1 GB instead of 6).
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY api api
COPY db db
COPY models models
COPY worker worker
# A compiler for the package's own kernels, which are left out where there is none.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
RUN python -m venv /opt/riskscope \
    && PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL}" /opt/riskscope/bin/pip install --constraint constraints.txt .

FROM python:${PYTHON_VERSION}-slim
# pg_dump and pg_restore, for `riskscope backup` and `riskscope restore`; of the server's version in docker-compose.yml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home riskscope \
    && install -d -o riskscope -g riskscope /var/lib/riskscope
COPY --from=build /opt/riskscope /opt/riskscope
ENV PATH=/opt/riskscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE \
    RISKSCOPE_DATA_DIRECTORY=/var/lib/riskscope
USER riskscope
WORKDIR /var/lib/riskscope
VOLUME /var/lib/riskscope
EXPOSE 8000
CMD ["riskscope", "api"]
