"""Addresses under `/desk/`."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from orderhub.desk.views import memo, orders
from orderhub.desk.views.login import DeskLoginView

app_name = "desk"
urlpatterns = [
    path("", orders.home, name="home"),
    path("login/", DeskLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(next_page="desk:login"), name="logout"),
    path("search/", orders.search, name="search"),
    path("orders/<int:order_id>/", orders.order, name="order"),
    path("orders/<int:order_id>/news/", orders.news, name="news"),
    path("orders/<int:order_id>/memo/", memo.save_memo, name="memo"),
    path("orders/<int:order_id>/reveal/", orders.reveal_receiver, name="reveal"),
]
