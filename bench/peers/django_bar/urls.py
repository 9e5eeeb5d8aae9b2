"""Kaunta's paths."""

from django.urls import path

from bench.peers.django_bar import views

urlpatterns = [
    path("cb/<str:token>", views.callback),
    path("api/payments/mpesa/status/<uuid:payment_id>", views.status),
    path("api/payments/mpesa/initiate", views.initiate),
]
