// Sets a choice of time zones to the browser's own: <select data-zone>. The server's choice is what stays without it.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const select of document.querySelectorAll("select[data-zone]")) {
  if ([...select.options].some((option) => option.value === zone)) select.value = zone;
}
