"""The web server, the same on a laptop and in production; `PORT` moves it, `HUB_BIND` opens it to other machines."""

from orderhub.core import env
from orderhub.core.local import BASE_DIR, read_env_file

read_env_file(BASE_DIR / ".env")

bind = f"{env.text('HUB_BIND', '') or '127.0.0.1'}:{env.number('PORT', 8000, low=1, high=65_535)}"
worker_class = "gthread"
workers = env.number("HUB_WEB_PROCESSES", 2, low=1, high=256)
threads = env.number("HUB_WEB_THREADS", 8, low=1, high=256)
timeout = 60
graceful_timeout = 5
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
# Requests are logged by the application, with their id and without personal data.
accesslog = None
errorlog = "-"
loglevel = "warning"
# Another way to give orders to the server; signals are enough.
control_socket_disable = True
# Only a proxy on this machine is believed about https.
forwarded_allow_ips = env.text("HUB_PROXIES", "127.0.0.1,::1")
