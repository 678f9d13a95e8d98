FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/octroi
COPY requirements.lock pyproject.toml README.md ./
RUN /opt/octroi/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY audit audit
COPY config config
COPY gateway gateway
COPY providers providers
COPY ratelimit ratelimit
RUN /opt/octroi/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home octroi && install -d -o octroi /var/lib/octroi
COPY --from=build /opt/octroi /opt/octroi
ENV PATH=/opt/octroi/bin:$PATH PYTHONUNBUFFERED=1 OCTROI_DATA_DIR=/var/lib/octroi
USER octroi
VOLUME /var/lib/octroi
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["octroi"]
CMD ["serve", "--host", "0.0.0.0", "--workers", "2"]
