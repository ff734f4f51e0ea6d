{{- define "opamp-server.name" -}}
{{- .Values.fullnameOverride | default .Values.nameOverride | default .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "opamp-server.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "opamp-server.labels" -}}
{{ include "opamp-server.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "opamp-server.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "opamp-server.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "opamp-server.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of the listener for agents; empty without one. */}}
{{- define "opamp-server.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled -}}
{{- if .Values.tls.existingSecret -}}{{- fail "set tls.existingSecret or tls.certManager.enabled, not both" -}}{{- end -}}
{{ include "opamp-server.name" . }}-tls
{{- else -}}
{{ .Values.tls.existingSecret }}
{{- end -}}
{{- end -}}

{{/* http or https, by which probes and Prometheus reach the management listener. */}}
{{- define "opamp-server.managementScheme" -}}
{{- if dig "management" "tls" false .Values.settings -}}https{{- else -}}http{{- end -}}
{{- end -}}

{{/* server.yaml: what the chart sets, with the settings of the values over it. */}}
{{- define "opamp-server.settings" -}}
{{- $opamp := dict "endpoint" "0.0.0.0:4320" -}}
{{- if include "opamp-server.tlsSecret" . -}}
{{- $tls := dict "cert_file" "/etc/opamp-server-tls/tls.crt" "key_file" "/etc/opamp-server-tls/tls.key" -}}
{{- if .Values.tls.clientCaSecret -}}{{- $_ := set $tls "client_ca_file" "/etc/opamp-server-agents-ca/ca.crt" -}}{{- end -}}
{{- $_ := set $opamp "tls" $tls -}}
{{- else if .Values.tls.clientCaSecret -}}
{{- fail "tls.clientCaSecret needs a certificate of the listener: set tls.existingSecret or tls.certManager.enabled" -}}
{{- end -}}
{{- $storage := dict "directory" "/var/lib/opamp-server" -}}
{{- if .Values.postgres.existingSecret -}}
{{- $storage = dict "postgres_url" "${env:OPAMP_POSTGRES_URL}" -}}
{{- else if gt (int .Values.replicas) 1 -}}
{{- fail "replicas: more than one needs PostgreSQL, which they share: set postgres.existingSecret, or replicas to 1" -}}
{{- end -}}
{{- $access := dict -}}
{{- if .Values.adminKey.existingSecret -}}
{{- $access = dict "admin_key_file" "/etc/opamp-server-admin/admin-key" -}}
{{- else if not (hasKey .Values.settings "access") -}}
{{- fail "adminKey.existingSecret is needed: a Secret with the API key of the first admin; or say in settings.access who gets in" -}}
{{- end -}}
{{- $ours := dict
  "opamp" $opamp
  "management" (dict "endpoint" "0.0.0.0:4321")
  "storage" $storage
  "access" $access
-}}
{{- toYaml (mergeOverwrite $ours (deepCopy .Values.settings)) -}}
{{- end -}}
