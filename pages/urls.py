"""The routes of the staff's pages that need several apps, all behind the admin's login."""

from django.contrib import admin
from django.urls import path

from pages import node_views, views

urlpatterns = [
    path("", admin.site.admin_view(views.overview_page), name="overview"),
    path("nodes/<int:node>/", admin.site.admin_view(views.node_page), name="node"),
    path("nodes/<int:node>/now/", admin.site.admin_view(node_views.node_now_page), name="node_now"),
    path("flavors/<int:flavor>/", admin.site.admin_view(views.flavor_page), name="flavor"),
]
