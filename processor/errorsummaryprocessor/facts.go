// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummaryprocessor

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/errorsummary"
	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// facts is what the attributes of a span or a log record tell of an error.
type facts struct {
	// What an earlier hop, or the application, already said.
	code, summaryType, text, rule string
	retryable                     *bool

	exceptionType, exceptionMessage, exceptionStack string
	errorType, errorMessage                         string
	// body is the text of a log record.
	body          string
	http, httpOld int
	grpc          [3]int // in the order of precedence

	runID, runStatus, stageName, stageStatus, callID, callStatus, failedStage string
	provider                                                                  string
}

// read gathers all facts in one pass over the attributes.
func (f *facts) read(attrs pcommon.Map) {
	for key, v := range attrs.All() {
		switch key {
		case semconv.ErrorCodeKey:
			f.code = v.AsString()
		case semconv.ErrorSummaryTypeKey:
			f.summaryType = v.AsString()
		case semconv.ErrorTextKey:
			f.text = v.AsString()
		case semconv.ErrorRuleKey:
			f.rule = v.AsString()
		case semconv.ErrorRetryableKey:
			f.retryable = flag(v)
		case semconv.ExceptionTypeKey:
			f.exceptionType = v.AsString()
		case semconv.ExceptionMessageKey:
			f.exceptionMessage = v.AsString()
		case semconv.ExceptionStackKey:
			f.exceptionStack = v.AsString()
		case semconv.ErrorTypeKey:
			f.errorType = v.AsString()
		case semconv.ErrorMessageKey:
			f.errorMessage = v.AsString()
		case semconv.HTTPStatusCodeKey:
			f.http = number(v)
		case semconv.HTTPStatusCodeOldKey:
			f.httpOld = number(v)
		case semconv.RPCGRPCStatusCodeKey:
			f.grpc[0] = grpcStatus(v)
		case semconv.RPCResponseStatusKey:
			f.grpc[1] = grpcStatus(v)
		case semconv.RPCStatusCodeKey:
			f.grpc[2] = grpcStatus(v)
		case semconv.RunIDKey:
			f.runID = v.AsString()
		case semconv.RunStatusKey:
			f.runStatus = v.AsString()
		case semconv.RunFailedStageKey:
			f.failedStage = v.AsString()
		case semconv.StageNameKey:
			f.stageName = v.AsString()
		case semconv.StageStatusKey:
			f.stageStatus = v.AsString()
		case semconv.CallIDKey:
			f.callID = v.AsString()
		case semconv.CallStatusKey:
			f.callStatus = v.AsString()
		case semconv.GenAIProviderNameKey:
			f.provider = v.AsString()
		}
	}
}

// readBody takes the text of a log record, if it is one.
func (f *facts) readBody(body pcommon.Value) {
	if body.Type() == pcommon.ValueTypeStr {
		f.body = body.Str()
	}
}

// tellsError: a log record has no status of its own; these say that it is about an error. Of the severity alone only a
// text is, which there is something to say of.
func (f *facts) tellsError(severity plog.SeverityNumber) bool {
	return severity >= plog.SeverityNumberError && f.body != "" || f.exceptionType != "" || f.exceptionMessage != "" || f.errorMessage != "" || f.code != "" ||
		failed(f.runStatus) || failed(f.stageStatus) || failed(f.callStatus)
}

func failed(status string) bool {
	s, ok := semconv.ParseStatus(status)
	return ok && s == semconv.StatusFailed
}

// forget drops what an earlier hop, or the application, said of the error, but not its words.
func (f *facts) forget() {
	f.errorMessage, f.errorType = first(f.errorMessage, f.text), first(f.errorType, f.summaryType)
	f.code, f.summaryType, f.text, f.rule, f.retryable = "", "", "", "", nil
}

// summary classifies the error; status is the text of the span's status, if there is one. What an earlier hop
// wrote beside its code stays: it may be the root cause, found in a batch that this hop does not see.
func (f *facts) summary(o errorsummary.Options, status string) errorsummary.Summary {
	in := errorsummary.Input{
		Type:       f.exceptionType,
		Message:    first(f.exceptionMessage, status, f.errorMessage, f.body),
		Stack:      f.exceptionStack,
		Code:       f.code,
		Retryable:  f.retryable,
		HTTPStatus: f.http,
	}
	if in.Type == "" && f.errorType != semconv.ErrorTypeOther {
		in.Type = f.errorType
	}
	if in.HTTPStatus == 0 {
		in.HTTPStatus = f.httpOld
	}
	if in.HTTPStatus == 0 && len(f.errorType) == 3 { // the conventions of HTTP write the status there
		in.HTTPStatus, _ = strconv.Atoi(f.errorType)
	}
	for _, s := range f.grpc {
		if s > 0 {
			in.GRPCStatus = s
			break
		}
	}
	if f.code != "" {
		in.Type, in.Message = first(f.summaryType, in.Type), first(f.text, in.Message)
	}
	s := o.Classify(in)
	if f.code != "" && f.rule != "" {
		s.Rule = f.rule
	}
	return s
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func flag(v pcommon.Value) *bool {
	switch v.Type() {
	case pcommon.ValueTypeBool:
		b := v.Bool()
		return &b
	case pcommon.ValueTypeStr:
		if b, err := strconv.ParseBool(v.Str()); err == nil {
			return &b
		}
	}
	return nil
}

// number reads a status that came as a number or as its digits; 0 for anything else.
func number(v pcommon.Value) int {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return int(v.Int())
	case pcommon.ValueTypeDouble:
		if d := v.Double(); d == math.Trunc(d) && math.Abs(d) < 1e6 {
			return int(d)
		}
	case pcommon.ValueTypeStr:
		n, _ := strconv.Atoi(v.Str())
		return n
	}
	return 0
}

func grpcStatus(v pcommon.Value) int {
	if v.Type() != pcommon.ValueTypeStr {
		return number(v)
	}
	n, _ := errorsummary.ParseGRPCStatus(v.Str())
	return n
}

// write puts the summary on a span or a log record.
func write(attrs pcommon.Map, s *errorsummary.Summary, stage string) {
	attrs.EnsureCapacity(attrs.Len() + 8)
	attrs.PutStr(semconv.ErrorCodeKey, s.Code)
	attrs.PutStr(semconv.ErrorSummaryTypeKey, s.Type)
	attrs.PutStr(semconv.ErrorTextKey, s.Message)
	attrs.PutBool(semconv.ErrorRetryableKey, s.Retryable)
	attrs.PutStr(semconv.ErrorSummaryKey, s.String())
	attrs.PutStr(semconv.ErrorRuleKey, s.Rule)
	attrs.PutStr(semconv.ErrorFingerprintKey, s.Fingerprint)
	if stage != "" {
		attrs.PutStr(semconv.ErrorStageKey, stage)
	}
}
