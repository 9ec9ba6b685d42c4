"""Addresses of the account pages."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("login/", views.LogInView.as_view(), name="log-in"),
    path("logout/", LogoutView.as_view(), name="log-out"),
    path("signup/", views.sign_up, name="sign-up"),
    path("signup/pending/", views.pending, name="pending"),
    path("password/", views.PasswordView.as_view(), name="password-change"),
]
