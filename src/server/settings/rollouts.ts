import { text } from "../../foundation/settings-file/field.ts";
import { defaulted, optionalText, section } from "../../foundation/settings-file/section.ts";
import { url } from "../../foundation/settings-file/url.ts";

export const rollouts = section({
  defaultStrategy: defaulted("default_strategy", text(), "default"),
  prometheusUrl: optionalText(
    "prometheus_url",
    url(["http", "https"], () => "expected the http:// or https:// URL of a Prometheus server"),
  ),
});
