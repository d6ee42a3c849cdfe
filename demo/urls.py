"""The demo's addresses."""

from django.urls import path

from demo import views

urlpatterns = [path("demo/careers", views.careers, name="demo-careers")]
