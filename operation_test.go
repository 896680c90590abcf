package ips_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestEnumerations prints every value by name and none that is unknown by the
// name of another.
func TestEnumerations(t *testing.T) {
	t.Parallel()
	for value, want := range map[fmt.Stringer]string{
		ips.AccountOrganisation: "organisation", ips.AccountPerson: "person", ips.AccountType("7"): "unknown (7)",
		ips.NotChecked: "not checked", ips.CheckPassed: "passed", ips.CheckFailed: "failed", ips.CheckStatus(""): "unknown ()",
		ips.AccountOpened: "opened", ips.AccountTimedOut: "timed out", ips.AccountFailed: "failed", ips.OpenAccountStatus("1"): "unknown (1)",
		ips.AccountNotOpened: "not opened", ips.AccountNotActivated: "not activated", ips.AccountOpenFailed: "opening failed",
		ips.AccountActive: "active", ips.AccountDeleted: "deleted", ips.IPSAccountStatus("4"): "unknown (4)",
		ips.PeriodDays: "days", ips.PeriodMonths: "months", ips.PeriodUnlimited: "unlimited", ips.Period("Y"): "unknown (Y)",
		ips.TermDays: "days", ips.TermMonths: "months", ips.TermUnit("2"): "unknown (2)",
		ips.RepayAnnuity: "annuity", ips.RepayInterestFirst: "interest first", ips.RepayEqualPrincipal: "equal principal",
		ips.RepayOther: "other", ips.RepayMode("4"): "unknown (4)",
		ips.BidNew: "new", ips.BidRaising: "raising", ips.BidRunning: "running", ips.BidEnding: "ending", ips.BidFailed: "failed",
		ips.BidEnded: "ended", ips.BidStatus("4"): "unknown (4)",
		ips.ClaimNew: "new", ips.ClaimRunning: "running", ips.ClaimFailed: "failed", ips.ClaimEnded: "ended", ips.ClaimStatus("2"): "unknown (2)",
		ips.TransferWholeClaim: "whole claim", ips.TransferPartClaim: "part of the claim", ips.DebtTransferKind("3"): "unknown (3)",
		ips.TransferInvestment: "investment", ips.TransferCompensation: "compensation", ips.TransferCompensationRepayment: "compensation repayment",
		ips.TransferDebt: "debt transfer", ips.TransferGuaranteeProfit: "guarantee profit", ips.TransferType("6"): "unknown (6)",
		ips.TransferRowByRow: "row by row", ips.TransferBatched: "batched", ips.TransferMode("3"): "unknown (3)",
		ips.BorrowerMargin: "borrower", ips.GuarantorMargin: "guarantor", ips.MarginOwner("3"): "unknown (3)",
		ips.PlatformPaysFee: "platform", ips.UserPaysFee: "user", ips.FeePayer("3"): "unknown (3)",
		ips.RechargeEBank: "e-bank", ips.RechargeWithholding: "withholding", ips.RechargeChannel("3"): "unknown (3)",
		ips.RowDone: "done", ips.RowFailed: "failed", ips.RowStatus("X"): "unknown (X)",
		ips.Undecided: "undecided", ips.Failure: "failure", ips.Pending: "pending", ips.Success: "success", ips.Outcome(9): "undecided", ips.Outcome(-1): "undecided",
		ips.TradeDone: "done", ips.TradeFailed: "failed", ips.TradeInWork: "in work", ips.TradeNotFound: "not found", ips.TradeStatus(""): "unknown ()",
		ips.TradeRecharge: "recharge", ips.TradeRelease: "release", ips.TradeDebt: "debt transfer", ips.TradeType("12"): "unknown (12)",
		ips.SignatureTagged: "tagged", ips.SignaturePartial: "partial", ips.SignaturePlain: "plain", ips.SignatureNone: "none", ips.Signature(9): "none",
		ips.Synchronous: "synchronous", ips.WebReturn: "web return", ips.ServerToServer: "server to server", ips.Queried: "queried", ips.Via(0): "unknown",
		ips.Redirect: "redirect", ips.ServerPosted: "server-posted", ips.WebService: "web service", ips.QueryService: "query",
		ips.Transport(0): "unknown transport",
		ips.Sent:         "sent", ips.Received: "received", ips.Direction(0): "unknown",
	} {
		assert.Equal(t, want, value.String(), "%T", value)
	}
}

// TestEnumerationsTravelAsCodes: String is for people, the wire and JSON keep
// the code.
func TestEnumerationsTravelAsCodes(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(map[string]any{"a": ips.TransferDebt, "b": ips.AccountPerson, "c": ips.PeriodUnlimited})
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":"4","b":"1","c":"N"}`, string(raw))
	assert.Equal(t, "debt transfer", fmt.Sprint(ips.TransferDebt))
}
