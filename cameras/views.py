"""The guard post's pages: pick a camera, capture, enrol. And what is wrong with cameras, for the dashboard."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import may_log_in
from cameras import alarms, enrolment
from cameras.enrolment import LinkRefused, Standing
from cameras.models import Camera

STATUS_OF_LINK = {Standing.READY: 200, Standing.UNKNOWN: 404, Standing.SWITCHED_OFF: 409}  # Others: 410, gone.


@require_safe
@never_cache
def capture_list(request: HttpRequest) -> HttpResponse:
    """Lets a guard post pick its camera: those of its units, and those this browser is enrolled as."""
    devices = enrolment.devices_of(request.COOKIES)
    if not devices and not may_log_in(request.user):
        return redirect_to_login(request.get_full_path())
    enrolled = {device.camera_id: device.camera for device in devices}
    of_units = Camera.objects.capturable_by(request.user).select_related("unit").exclude(pk__in=enrolled)
    cameras = sorted([*enrolled.values(), *of_units], key=lambda camera: (camera.unit.name, camera.name))
    return render(request, "cameras/capture_list.html", {"cameras": cameras})


@require_safe
@never_cache
def capture(request: HttpRequest, slug: str) -> HttpResponse:
    """The page that makes a browser a camera, for an enrolled device or a member of the camera's unit."""
    camera = Camera.objects.select_related("unit").filter(slug=slug).first()
    token = request.COOKIES.get(enrolment.cookie_name(camera.pk)) if camera else None
    device = enrolment.enrolled_device(camera.pk, token) if camera else None
    if camera is None or not (device or Camera.objects.capturable_by(request.user).filter(pk=camera.pk).exists()):
        # Whoever is not logged in learns nothing from the answer, not even whether there is such a camera.
        if not may_log_in(request.user):
            return redirect_to_login(request.get_full_path())
        raise Http404
    if not camera.is_enabled:
        return render(request, "cameras/switched_off.html", {"camera": camera}, status=409)
    masks = camera.masks().message()
    response = render(request, "cameras/capture.html", {"camera": camera, "device": device, "masks": masks})
    if device and token:
        enrolment.touch(device)
        enrolment.remember(response, camera.pk, token)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def enrol(request: HttpRequest, token: str) -> HttpResponse:
    """Shows what the link is for; only the button uses it up, since programs that preview links follow them."""
    found, standing = enrolment.find(token)
    if request.method == "POST" and standing is Standing.READY:
        try:
            redeemed = enrolment.redeem(token, user_agent=request.headers.get("user-agent", ""))
        except LinkRefused as refusal:
            standing = refusal.standing
        else:
            camera = redeemed.device.camera
            response = redirect("cameras:capture", slug=camera.slug)
            enrolment.remember(response, camera.pk, redeemed.token)
            return response
    context = {"camera": found.camera if found else None, "standing": standing.value}
    return render(request, "cameras/enrol.html", context, status=STATUS_OF_LINK.get(standing, 410))


@require_safe
@never_cache
def alarms_now(request: HttpRequest) -> HttpResponse:
    """A part of a page: what is wrong with the cameras its reader may watch, or with the one `?camera=` names.

    Nothing where nothing is.
    """
    if not may_log_in(request.user):
        return redirect_to_login(request.get_full_path())
    cameras = Camera.objects.watchable_by(request.user).filter(is_enabled=True)
    if slug := request.GET.get("camera"):
        cameras = cameras.filter(slug=slug)
    return render(request, "cameras/alarms.html", {"alarms": alarms.of(cameras)})
