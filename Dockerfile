# The memory service in a container, as an unprivileged user. Build and run:
#
#   docker build -t recollect .
#   docker run -p 8000:8000 -v ./runs:/runs:ro -v recollect-store:/store \
#       -e RECOLLECT_READ_KEY=... -e RECOLLECT_WRITE_KEY=... recollect /runs/first --store /store --host 0.0.0.0
#
# The folder above the model is mounted, so that a new model, or a link to one, is seen too.
# The index of PyTorch has a build without CUDA, which makes the image a few gigabytes smaller:
#
#   docker build -t recollect --build-arg PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" .
#
FROM python:3.12-slim

ARG PIP_ARGS=""
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir $PIP_ARGS -c constraints.txt ".[redis]" && rm -rf /src

RUN useradd --system --uid 10001 recollect && mkdir /store && chown recollect /store
USER recollect
WORKDIR /store
VOLUME /store
EXPOSE 8000
# Another port: -e RECOLLECT_PORT=9000, which the health check looks at too; it does not know of --port.
ENV OMP_NUM_THREADS=1 RECOLLECT_PORT=8000
HEALTHCHECK CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"RECOLLECT_PORT\"]}/readyz', timeout=2)"]
ENTRYPOINT ["recollect", "serve"]
CMD ["/runs/first", "--store", "/store", "--host", "0.0.0.0"]
