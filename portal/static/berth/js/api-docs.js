// The API, to read and to try: Swagger UI in the element that has data-openapi.
for (const element of document.querySelectorAll("[data-openapi]")) {
  window.SwaggerUIBundle({
    domNode: element,
    url: element.dataset.openapi,
    validatorUrl: null, // else it would ask a stranger's server
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    deepLinking: true,
  });
}
