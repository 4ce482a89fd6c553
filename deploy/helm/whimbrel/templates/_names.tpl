{{/* The name of everything of the release. */}}
{{- define "whimbrel.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "whimbrel.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "whimbrel.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What tells the release's objects from others'. */}}
{{- define "whimbrel.selector" -}}
app.kubernetes.io/name: whimbrel
app.kubernetes.io/instance: {{ include "whimbrel.fullname" . }}
{{- end -}}

{{- define "whimbrel.labels" -}}
{{ include "whimbrel.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "whimbrel.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that are kept, as JSON: each with the name of the Deployment that keeps it. */}}
{{- define "whimbrel.kept" -}}
{{- $kept := list -}}
{{- range .Values.namespaces -}}
{{- $name := printf "%s-%s" (include "whimbrel.fullname" $) . -}}
{{- /* Two long names must not become one. */ -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" ($name | trunc 54) (sha256sum . | trunc 8) -}}
{{- end -}}
{{- $kept = append $kept (dict "namespace" . "name" $name) -}}
{{- else -}}
{{- $kept = append $kept (dict "namespace" .Release.Namespace "name" (include "whimbrel.fullname" .)) -}}
{{- end -}}
{{- toJson $kept -}}
{{- end -}}
