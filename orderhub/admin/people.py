"""People and roles. Roles are code (`orderhub/services/roles.py`); who has which is set here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from orderhub.console.model_admin import ConsoleModelAdmin, ReadOnlyModelAdmin
from orderhub.services.roles import role_label

for _model in (User, Group):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)

VERBS = {
    "view": pgettext_lazy("may", "look at"),
    "add": pgettext_lazy("may", "add"),
    "change": pgettext_lazy("may", "change"),
    "delete": pgettext_lazy("may", "delete"),
}


DESK_ROLE = "agent"
"""Works at the desk; whether it sees the console too is up to who gives it."""


class RoleField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """A choice among roles."""

    def label_from_instance(self, obj: Any) -> str:
        """Return what people call the role."""
        return role_label(obj.name)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ConsoleModelAdmin):  # type: ignore[misc,type-arg]
    """People; only a superuser touches superusers and single permissions."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    change_list_template = ConsoleModelAdmin.change_list_template
    list_display = ("username", "full_name", "roles", "is_staff", "is_active", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("username", "first_name", "last_name")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("last_name", "first_name", "email")}),
        (_("Role"), {"fields": ("is_active", "is_staff", "groups")}),
        (_("History"), {"fields": ("last_login", "date_joined")}),
    )
    superuser_fieldset = (_("Beyond roles"), {"fields": ("is_superuser", "user_permissions"), "classes": ("collapse",)})
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "password1", "password2")}),)
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load roles with the list."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show single permissions to superusers only."""
        fieldsets = super().get_fieldsets(request, obj)
        return (*fieldsets, self.superuser_fieldset) if obj and request.user.is_superuser else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Nobody changes their own role."""
        own = ("is_active", "is_staff", "groups") if obj == request.user and not request.user.is_superuser else ()
        return (*self.readonly_fields, *own)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Open the console to whoever gets a role that works there; agents have the desk."""
        super().save_related(request, form, formsets, change)
        user = form.instance
        if "groups" in form.changed_data and not user.is_staff and user.groups.exclude(name=DESK_ROLE).exists():
            user.is_staff = True
            user.save(update_fields=["is_staff"])

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer roles by what people call them."""
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        return RoleField(
            queryset=Group.objects.order_by("pk"), required=False, label=_("roles"),
            widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep superusers out of the reach of others."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or request.user.is_superuser or not obj.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: what people did stays theirs, so they are made inactive instead."""
        return False

    @admin.display(description=_("name"))
    def full_name(self, user: User) -> str:
        """Family name and given name, in Chinese order."""
        return f"{user.last_name}{user.first_name}"

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        """The person's roles."""
        if user.is_superuser:
            return str(_("Superuser"))
        return gettext(", ").join(role_label(group.name) for group in user.groups.all())


@admin.register(Group)
class GroupAdmin(ReadOnlyModelAdmin):
    """Roles and what they may do; changed in code, written by `manage.py setup`."""

    list_display = ("role", "name")
    fields = ("role", "name", "may")
    readonly_fields = ("role", "may")
    search_fields = ("name",)

    @admin.display(description=_("may"))
    def may(self, group: Group) -> SafeString:
        """What the role may do, one line per kind of object."""
        by_kind: dict[str, list[str]] = {}
        for permission in group.permissions.select_related("content_type"):
            verb = permission.codename.partition("_")[0]
            word = VERBS[verb] if verb in VERBS else gettext(permission.name)
            by_kind.setdefault(str(permission.content_type.name), []).append(str(word))
        rows = ((kind, gettext(", ").join(words)) for kind, words in sorted(by_kind.items()))
        return format_html('<dl class="kv">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))

    @admin.display(description=_("role"))
    def role(self, group: Group) -> str:
        """What people call the role."""
        return role_label(group.name)
