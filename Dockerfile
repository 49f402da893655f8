# The first stage makes one folder, /opt/sekisho; the second holds Python and that folder.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/ requirements/
RUN pip install --require-hashes -r requirements/build.txt -r requirements/node.txt
RUN python -m venv --without-pip /opt/sekisho \
    && pip --python /opt/sekisho/bin/python install --require-hashes --only-binary :all: \
        -r requirements/aws.txt -r requirements/otel.txt -r requirements/saml.txt
COPY pyproject.toml README.md LICENSE ./
COPY bundling/ bundling/
COPY explorer/ explorer/
COPY graphql/ graphql/
COPY piccolo_migrations/ piccolo_migrations/
COPY app/ app/
RUN python bundling/build.py explorer
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/sekisho/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.13-slim
ENV PATH=/opt/sekisho/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    DATA_DIR=/data
COPY --from=build /opt/sekisho /opt/sekisho
RUN install -d -m 700 -o 10001 -g 10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["sekisho", "isready", "public"]
ENTRYPOINT ["sekisho"]
CMD ["serve", "all"]
